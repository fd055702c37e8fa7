"""Doing a batch: so many inputs at a time, each copied, asked about, its result and its line written.

It must not know models nor workers: it is given what answers for an input.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from deepaas.batch import results
from deepaas.batch.inputs import Input
from deepaas.batch.manifest import Line, Manifest
from deepaas.contents import copy_hashed, sha256_of
from deepaas.errors import DeepaasError, ModelUnavailable
from deepaas.files import Scratch, ScratchSpace
from deepaas.log import get_logger, with_trace
from deepaas.messages import Body

_FAULT = 500
_log = get_logger(__name__)


class Copy(NamedTuple):
    """The copy of an input that the model may do with as it likes, and the input's own name."""

    path: Path
    original_name: str


Ask = Callable[[Copy, Scratch], Awaitable[Body]]


class Rules(NamedTuple):
    """How a batch is done: results in `folder`, so many predictions at a time, whether a failure ends it.

    `arguments` is a digest of the arguments that all predictions share.
    """

    folder: Path
    at_a_time: int
    fail_fast: bool
    arguments: str


class Counts(NamedTuple):
    """How many inputs are done, failed, were done before, and are left."""

    done: int = 0
    failed: int = 0
    skipped: int = 0
    left: int = 0


class Batch:
    """One part of a batch. `on_line` is called with each line, and whether it was there before."""

    def __init__(
        self,
        inputs: Sequence[Input],
        ask: Ask,
        *,
        manifest: Manifest,
        space: ScratchSpace,
        rules: Rules,
        on_line: Callable[[Line, bool], None],
    ) -> None:
        self._inputs = inputs
        self._ask = ask
        self._manifest = manifest
        self._space = space
        self._rules = rules
        self._on_line = on_line
        self._places = asyncio.Semaphore(rules.at_a_time)
        self._stop = asyncio.Event()
        self._problem: ModelUnavailable | OSError | None = None
        self._done = self._failed = self._skipped = 0

    def stop(self) -> None:
        """Begin no more predictions; those that run are finished."""
        self._stop.set()

    @property
    def counts(self) -> Counts:
        """How far the batch is."""
        ended = self._done + self._failed + self._skipped
        return Counts(self._done, self._failed, self._skipped, len(self._inputs) - ended)

    async def run(self) -> None:
        """Do the inputs that are not done.

        Raise `ModelUnavailable` when no worker can be started, `OSError` when the manifest cannot be written.
        """
        waiting = iter(self._inputs)
        # Twice as many as predictions: one input is read, or a result written, while another is predicted.
        async with asyncio.TaskGroup() as feeders:
            for _ in range(2 * self._rules.at_a_time):
                feeders.create_task(self._feed(waiting))
        if self._problem:
            raise self._problem

    async def _feed(self, inputs: Iterator[Input]) -> None:
        for one in inputs:
            if self._stop.is_set():
                return
            line = await self._known(one)
            if line:
                self._skipped += 1
                await self._note(line, known=True)
                continue
            line = await self._new(one)
            if line:
                self._count(line)
                await self._note(line, known=False)

    async def _known(self, one: Input) -> Line | None:
        """Return the line of an input that has its result, if it is the same input still."""
        lines = [line for line in self._manifest.known.get(one.path, ()) if self._may_stand(line)]
        if not lines:
            return None
        try:
            digest = await asyncio.to_thread(sha256_of, Path(one.path))
        except OSError:
            return None
        return next((line for line in lines if line.sha256 == digest), None)

    def _may_stand(self, line: Line) -> bool:
        return (
            line.error is None
            and line.output is not None
            and line.arguments == self._rules.arguments
            and (self._rules.folder / line.output).is_file()
        )

    async def _new(self, one: Input) -> Line | None:
        """Predict for an input and return its line; nothing, when it was not begun because of a stop."""
        line = Line(one.path, None, None, 0.0, None, self._rules.arguments)
        async with self._space.folder() as scratch:
            try:
                copy = scratch.new_file(one.path)
                digest = await asyncio.to_thread(copy_hashed, Path(one.path), copy)
                line = line._replace(sha256=digest)
                async with self._places:
                    if self._stop.is_set():
                        return None
                    began = time.perf_counter()
                    try:
                        body = await self._ask(Copy(copy, Path(one.path).name), scratch)
                    finally:
                        line = line._replace(seconds=round(time.perf_counter() - began, 6))
                output = await asyncio.to_thread(results.keep, body, self._rules.folder, one.name)
                return line._replace(output=output)
            except ModelUnavailable as error:
                self._give_up(error)
                return None
            except (DeepaasError, OSError) as error:
                return line._replace(error=_reason(error, one))

    def _count(self, line: Line) -> None:
        if line.error is None:
            self._done += 1
            return
        self._failed += 1
        if self._rules.fail_fast:
            self.stop()

    async def _note(self, line: Line, *, known: bool) -> None:
        try:
            await asyncio.to_thread(self._manifest.append, line)
        except OSError as error:
            self._give_up(error)
        else:
            self._on_line(line, known)

    def _give_up(self, problem: ModelUnavailable | OSError) -> None:
        """End the batch for a reason that is no input's fault."""
        self._problem = problem
        self.stop()


def _reason(error: DeepaasError | OSError, one: Input) -> str:
    """Return why an input failed, and log it, with the traceback when it is a fault of the model's code."""
    reason = str(error)
    is_fault = isinstance(error, DeepaasError) and error.status >= _FAULT
    trace = getattr(error, "detail", "") if is_fault else ""
    _log.error("%s: %s", one.path, reason, extra=with_trace(trace))
    return reason
