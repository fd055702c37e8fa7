"""A bar of a resumed training, after a slow start."""

import time

from tqdm import trange

time.sleep(2)
for _ in trange(60, 100, initial=60, total=100):
    time.sleep(0.1)
