"""A bar of epochs around a bar of batches."""

import time

from tqdm import tqdm, trange

for epoch in trange(4, desc="epochs"):
    batches = tqdm(range(10), desc=f"epoch {epoch + 1}", leave=False)
    for batch in batches:
        time.sleep(0.1)
        batches.set_postfix(loss=1 / (1 + 10 * epoch + batch))
