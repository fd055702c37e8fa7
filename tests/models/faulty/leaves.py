"""A model that leaves when it is imported."""

import sys

sys.exit("I leave")
