"""Runs the checks in a child process and reads their findings."""

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import AsyncGenerator
from typing import IO

from deepaas.model.findings import END_STEP, CheckRequest, Finding, Level
from deepaas.processes import describe_exit, spawn_python, terminate_process

_CHILD = "deepaas.diagnostics.child"
_MAX_LINE_BYTES = 1 << 24
_OUTPUT_TAIL_BYTES = 2000
_DRAIN_TIMEOUT_S = 1.0


async def run_checks(request: CheckRequest, time_limit_s: float) -> AsyncGenerator[Finding, None]:
    """Yield findings as they arrive. A step that exceeds the time limit ends the check with an error."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as output, contextlib.closing(os.fdopen(reading, "rb")) as pipe:
        process = await spawn_python(
            _CHILD, str(writing), str(request), die_with_parent=True, descriptors=[writing], output=output
        )
        os.close(writing)
        try:
            async for finding in _FindingReader(process, await _connect_reader(pipe), output).read_findings(
                time_limit_s
            ):
                yield finding
        finally:
            await terminate_process(process, 0)


class _FindingReader:
    """Reads the findings of the child process until it is done or has exited."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, output: IO[bytes]
    ) -> None:
        self._process = process
        self._reader = reader
        self._output = output
        self._step = "import"

    async def read_findings(self, time_limit_s: float) -> AsyncGenerator[Finding, None]:
        """Yield the findings; if the process exits early, the last one describes its exit."""
        while self._step != END_STEP:
            try:
                async with asyncio.timeout(time_limit_s):
                    line = await self._read_line()
            except TimeoutError:
                yield self._build_error(
                    f"The step took longer than {time_limit_s:g} s and was stopped.",
                    "Find out what it waits for, or raise --time-limit.",
                )
                return
            if not line:
                yield await self._build_exit_error()
                return
            fields = json.loads(line)
            if len(fields) == 1:
                self._step = fields[0]
            else:
                yield Finding(Level(fields[0]), *fields[1:])

    async def _read_line(self) -> bytes:
        """Return the next line; empty if the process has exited without another.

        After its exit, the pipe may still hold lines. It may never reach end of file, because children of the
        model can hold it open; hence the timeout.
        """
        reading = asyncio.create_task(self._reader.readline())
        ending = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait({reading, ending}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({reading}, timeout=_DRAIN_TIMEOUT_S)
            return reading.result() if reading.done() else b""
        finally:
            reading.cancel()
            ending.cancel()

    async def _build_exit_error(self) -> Finding:
        reason = describe_exit(await self._process.wait())
        return self._build_error(
            f"The process {reason}.", "A server would restart it repeatedly; its last output is below."
        )

    def _build_error(self, text: str, hint: str) -> Finding:
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _OUTPUT_TAIL_BYTES))
        return Finding(
            Level.ERROR, self._step, text, hint, self._output.read().decode(errors="replace").strip()
        )


async def _connect_reader(pipe: IO[bytes]) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(_MAX_LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader
