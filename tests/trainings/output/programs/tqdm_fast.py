"""Nested bars with steps faster than tqdm draws, so that no inner bar is drawn to its end."""

import time

from tqdm import trange

for _ in trange(5, desc="epochs"):
    for _ in trange(100, desc="batches", leave=False):
        time.sleep(0.008)
