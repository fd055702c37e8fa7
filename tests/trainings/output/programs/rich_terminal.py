"""rich progress bar with a forced terminal."""

import time

from rich.console import Console
from rich.progress import track

for _ in track(range(40), description="Training", console=Console(force_terminal=True, width=80)):
    time.sleep(0.1)
