"""How many requests are being answered, for whoever waits until none is."""

import asyncio


class UnderWay:
    """A count of requests; `none` is set while it is zero."""

    def __init__(self) -> None:
        self._count = 0
        self.none = asyncio.Event()
        self.none.set()

    def begin(self) -> None:
        """Count one more."""
        self._count += 1
        self.none.clear()

    def end(self) -> None:
        """Count one less."""
        self._count -= 1
        if not self._count:
            self.none.set()
