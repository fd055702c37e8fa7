"""One worker process without a server: sends it calls, and collects its replies and its output."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from deepaas.messages import Body, Call, Chunk, Failure, Reply, encode
from deepaas.workers.call_queue import PendingCall
from deepaas.workers.local_process import LocalWorkerProcess
from deepaas.workers.worker import Worker
from support.calls import START
from support.server import CALL_S, END_S


class LoneWorker:
    """A worker, its output as text, and the chunks of its streams."""

    def __init__(self, target: str, **config: Any) -> None:
        options = {"log_level": "INFO", "log_file": ""} | config
        start = START._replace(name="lone", target=target, **options)
        self.output = ""
        self._printed = asyncio.Event()
        self.chunks: list[bytes] = []
        process = LocalWorkerProcess(self._on_output)
        self.worker = Worker(start, process, self._on_reply, self._on_revoked, self._on_chunk)

    async def call(self, function: str = "predict", **arguments: Any) -> Body | Failure:
        """Return the outcome of one call."""
        (outcome,) = await self.batch(arguments, function=function)
        return outcome

    async def batch(self, *calls: dict[str, Any], function: str = "predict") -> list[Body | Failure]:
        """Return the outcomes of several calls, sent as one batch."""
        loop = asyncio.get_running_loop()
        sent = [
            PendingCall(
                encode(Call(function, arguments, True, None, "/nowhere", "a-request")),  # noqa: FBT003
                loop.create_future(),
                loop.time(),
            )
            for arguments in calls
        ]
        self.worker.send_batch(sent)
        async with asyncio.timeout(CALL_S):
            return [await pending.future for pending in sent]  # type: ignore[misc]

    async def wait_for_output(self, text: str) -> None:
        """Wait until the process has printed a text."""
        async with asyncio.timeout(CALL_S):
            while text not in self.output:
                self._printed.clear()
                await self._printed.wait()

    def _on_output(self, content: bytes) -> None:
        self.output += content.decode(errors="replace")
        self._printed.set()

    def _on_reply(self, pending: PendingCall, reply: Reply) -> None:
        pending.future.set_result(reply.outcome)

    def _on_revoked(self, pending: PendingCall) -> None:
        raise AssertionError(f"{pending} was revoked")

    def _on_chunk(self, _: Worker, __: int, chunk: Chunk) -> None:
        self.chunks.append(chunk.content)


@contextlib.asynccontextmanager
async def lone_worker(target: str, **config: Any) -> AsyncIterator[LoneWorker]:
    """Start a worker; at the end, stop it and fail if it survives its pipe."""
    lone = LoneWorker(target, **config)
    try:
        async with asyncio.timeout(CALL_S):
            await lone.worker.start()
        yield lone
    finally:
        async with asyncio.timeout(END_S):
            await lone.worker.stop()
            lone.worker.close()


def content(outcome: Body | Failure) -> Any:
    """Return the prediction; fail if the call failed."""
    assert isinstance(outcome, Body), outcome
    return json.loads(outcome.content)
