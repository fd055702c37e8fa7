"""A bar of epochs, and a line that is printed in each of them, behind the bar."""

import time

from tqdm import trange

for epoch in trange(20):
    time.sleep(0.2)
    print(f"Epoch {epoch + 1}/20 loss: {1 / (1 + epoch):.4f}")  # noqa: T201 - as many loops do
