"""Nested bars whose inner bars stay: tqdm draws each for the last time in the row of the outer one."""

import time

from tqdm import trange

for _ in trange(5, desc="epochs"):
    for _ in trange(100, desc="batches"):
        time.sleep(0.008)
