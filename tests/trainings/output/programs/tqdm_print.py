"""A bar of epochs, with a line that each epoch prints after the bar."""

import time

from tqdm import trange

for epoch in trange(20):
    time.sleep(0.2)
    print(f"Epoch {epoch + 1}/20 loss: {1 / (1 + epoch):.4f}")  # noqa: T201 - many training loops print
