"""What the actor of a worker is: a process of ours on a node, and what passes between it and the server.

It runs in the actor and must not import Ray. It does not know what calls mean.
"""

import asyncio
import contextlib
import os
import platform
import socket

from deepaas.engines.on_ray import placed
from deepaas.engines.on_ray.said import Heard, InOrder
from deepaas.files import ScratchSpace
from deepaas.messages import Message, decode, encode, frame
from deepaas.workers.local import LocalProcess

_WINDOW_BYTES = 1 << 18
_PRINTED_BYTES = 1 << 20
_SILENCE_S = 2.0
_HUNG_UP_S = 0.5
_MOST_LISTENERS = 2
Said = list[tuple[bytes, int]]


class WorkerHost:
    """Holds the process of one worker.

    `talk` is asked again and again: it tells the process what the server says, and returns what is new, or
    after some seconds that nothing is.
    """

    def __init__(self) -> None:
        self._said = bytearray()
        self._printed = bytearray()
        self._inbox: InOrder[Said] = InOrder()
        self._news = asyncio.Event()
        self._number = 0
        self._listeners = 0
        self._code: int | None = None
        self._space = ScratchSpace()
        self._root = ""
        self._process: LocalProcess | None = None
        self._ending: asyncio.Task[None] | None = None

    async def place(self) -> tuple[str, str]:
        """Return the name of the node, and the version of the Python that runs here."""
        return socket.gethostname(), platform.python_version()

    async def start(self, start: bytes, folder: str) -> int:
        """Start the process, in the server's working directory if that is there; return its id."""
        with contextlib.suppress(OSError):
            os.chdir(folder)
        self._space.__enter__()
        self._root = str(self._space.root)
        self._process = LocalProcess(self._note_printed, self._root, stays_awake=False)
        await self._process.start(decode(start), self)
        self._ending = asyncio.create_task(self._attend(self._process))
        assert self._process.pid is not None
        return self._process.pid

    async def talk(self, number: int, said: Said) -> Heard:
        """Send messages to the process; return what is new as soon as there is anything."""
        assert self._process is not None
        for messages in self._inbox.add(number, said):
            for content, call in messages:
                self._process.send(content, call)
        # Two listeners are enough: one that has always been there, one that came with a message.
        self._listeners = mine = self._listeners + 1
        if not self._is_new():
            self._news.set()
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SILENCE_S):
                    while not self._is_new() and self._listeners - mine < _MOST_LISTENERS:
                        await self._news.wait()
        return self._heard()

    async def take_back(self, last: int) -> int | None:
        """Let no call up to `last` be begun any more; return the last that was."""
        return await self._process.take_back(last) if self._process else None

    async def give_up(self, number: int) -> None:
        """Let the process end a call whose result comes in chunks."""
        if self._process:
            self._process.give_up(number)

    async def kill(self) -> None:
        """Kill the process and all it started."""
        if self._process:
            self._process.kill()

    async def hang_up(self) -> None:
        """Read nothing from the process any more."""
        if self._process:
            self._process.hang_up()

    async def end(self, grace_s: float) -> int:
        """End the process; return its code. What it said before can still be heard."""
        code = (await self._process.end(grace_s)).code if self._process else 0
        if self._ending:
            await self._ending
        self._space.__exit__()
        return code or 0

    async def add(self, name: str, piece: bytes) -> None:
        """Append a piece to a file of a call's; `name` is the call's folder and the file's name."""
        await asyncio.to_thread(placed.add, f"{self._root}/{name}", piece)

    async def piece_at(self, path: str, offset: int) -> bytes:
        """Return a piece of a file that the process wrote; nothing at its end."""
        return await asyncio.to_thread(placed.piece_at, path, offset)

    async def drop(self, name: str) -> None:
        """Remove the files of a call."""
        await asyncio.to_thread(placed.drop, f"{self._root}/{name}")

    def hear(self, number: int, message: Message) -> None:
        """Keep a message of the process's for the server; stop reading when the server takes too little."""
        self._said += frame(encode(message), number)
        if len(self._said) > _WINDOW_BYTES and self._process and self._code is None:
            self._process.pause()
        self._news.set()

    def hear_garbage(self) -> None:
        """Let the server find what cannot be understood."""
        self._said += frame(b"")
        self._news.set()

    def hear_end(self) -> None:
        """Kill a process that has closed its pipe without ending: it can answer nothing any more."""
        if self._process:
            asyncio.get_running_loop().call_later(_HUNG_UP_S, self._process.kill)

    def _is_new(self) -> bool:
        return bool(self._said or self._printed or self._code is not None)

    def _heard(self) -> Heard:
        assert self._process is not None
        said, printed = bytes(self._said), bytes(self._printed)
        self._said.clear()
        self._printed.clear()
        self._news.clear()
        self._process.resume()
        number, self._number = self._number, self._number + 1
        has_ended = self._code is not None
        is_running = not has_ended and self._process.is_running()
        return Heard(number, said, printed, is_running, self._process.begun, has_ended, self._code or 0)

    def _note_printed(self, content: bytes) -> None:
        self._printed += content
        del self._printed[:-_PRINTED_BYTES]
        self._news.set()

    async def _attend(self, process: LocalProcess) -> None:
        code = (await process.exited()).code
        await process.last_words()
        self._code = code or 0
        self._news.set()
