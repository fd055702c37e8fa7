"""Two bars that advance side by side in two threads."""

import threading
import time

from tqdm import tqdm


def work(position: int) -> None:
    """Advance a bar in a separate row."""
    for _ in tqdm(range(20 + 20 * position), desc=f"part {position}", position=position):
        time.sleep(0.1)


threads = [threading.Thread(target=work, args=(position,)) for position in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
