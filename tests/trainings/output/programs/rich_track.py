"""rich progress bar from rich's first example."""

import time

from rich.progress import track

for _ in track(range(40), description="Training"):
    time.sleep(0.1)
