"""A model that calls sys.exit() on import."""

import sys

sys.exit("I leave")
