"""Consecutive bars, whose number is unknown to a reader."""

import time

from tqdm import tqdm

for name in ("features", "fit", "refit"):
    for _ in tqdm(range(15), desc=name):
        time.sleep(0.1)
