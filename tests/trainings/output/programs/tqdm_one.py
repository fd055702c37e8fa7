"""One bar."""

import time

from tqdm import tqdm

for _ in tqdm(range(40)):
    time.sleep(0.1)
