"""Runs a batch: predicts several inputs at a time, and writes their results and manifest entries."""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from deepaas.atomic_files import compute_sha256, copy_with_sha256
from deepaas.batch.inputs import Input
from deepaas.batch.manifest import Manifest, ManifestEntry
from deepaas.batch.result_files import save_result
from deepaas.errors import DeepaasError, ModelUnavailable
from deepaas.log import get_logger, traceback_extra
from deepaas.messages import Body
from deepaas.scratch import ScratchFolder, ScratchRoot

_MIN_SERVER_ERROR = 500
_log = get_logger(__name__)


class InputCopy(NamedTuple):
    """A copy of an input, which the model may change or delete, and the name of the original."""

    path: Path
    original_name: str


PredictFn = Callable[[InputCopy, ScratchFolder], Awaitable[Body]]


class BatchOptions(NamedTuple):
    """Output folder, maximum number of concurrent predictions, and whether the first failure stops the batch.

    `arguments_digest` is a digest of the arguments that all predictions share.
    """

    folder: Path
    max_concurrent: int
    fail_fast: bool
    arguments_digest: str


@dataclasses.dataclass
class BatchCounts:
    """Numbers of inputs that succeeded, failed, were skipped because of an earlier result, and remain."""

    done: int = 0
    failed: int = 0
    skipped: int = 0
    left: int = 0


class Batch:
    """One shard of a batch. `on_entry` receives each manifest entry, and whether it was reused."""

    def __init__(
        self,
        inputs: Sequence[Input],
        predict: PredictFn,
        *,
        manifest: Manifest,
        space: ScratchRoot,
        options: BatchOptions,
        on_entry: Callable[[ManifestEntry, bool], None],
    ) -> None:
        self._inputs = inputs
        self._predict = predict
        self._manifest = manifest
        self._space = space
        self._options = options
        self._on_entry = on_entry
        self._semaphore = asyncio.Semaphore(options.max_concurrent)
        self._stop = asyncio.Event()
        self._fatal_error: ModelUnavailable | OSError | None = None
        self.counts = BatchCounts(left=len(inputs))
        """The current progress."""

    def stop(self) -> None:
        """Start no more predictions; running ones are finished."""
        self._stop.set()

    async def run(self) -> None:
        """Process all inputs without a reusable result.

        Raise `ModelUnavailable` when no worker can be started, `OSError` when the manifest cannot be written.
        """
        waiting = iter(self._inputs)
        # Two tasks per prediction: one reads an input or writes a result while the other predicts.
        async with asyncio.TaskGroup() as feeders:
            for _ in range(2 * self._options.max_concurrent):
                feeders.create_task(self._process_inputs(waiting))
        if self._fatal_error:
            raise self._fatal_error

    async def _process_inputs(self, inputs: Iterator[Input]) -> None:
        for one in inputs:
            if self._stop.is_set():
                return
            line = await self._find_reusable(one)
            if line:
                self.counts.skipped += 1
                self.counts.left -= 1
                await self._record(line, is_reused=True)
                continue
            line = await self._predict_input(one)
            if line:
                self._count(line)
                await self._record(line, is_reused=False)

    async def _find_reusable(self, item: Input) -> ManifestEntry | None:
        """Return an earlier entry whose result exists and whose input has not changed."""
        lines = [line for line in self._manifest.previous.get(item.path, ()) if self._is_reusable(line)]
        if not lines:
            return None
        try:
            digest = await asyncio.to_thread(compute_sha256, Path(item.path))
        except OSError:
            return None
        return next((line for line in lines if line.sha256 == digest), None)

    def _is_reusable(self, entry: ManifestEntry) -> bool:
        return (
            entry.error is None
            and entry.output is not None
            and entry.arguments == self._options.arguments_digest
            and (self._options.folder / entry.output).is_file()
        )

    async def _predict_input(self, item: Input) -> ManifestEntry | None:
        """Predict one input and return its entry; `None` if the batch was stopped before the prediction."""
        line = ManifestEntry(item.path, None, None, 0.0, None, self._options.arguments_digest)
        async with self._space.create_folder() as scratch:
            try:
                copy = scratch.create_file_path(item.path)
                digest = await asyncio.to_thread(copy_with_sha256, Path(item.path), copy)
                line = line._replace(sha256=digest)
                async with self._semaphore:
                    if self._stop.is_set():
                        return None
                    began = time.perf_counter()
                    try:
                        body = await self._predict(InputCopy(copy, Path(item.path).name), scratch)
                    finally:
                        line = line._replace(seconds=round(time.perf_counter() - began, 6))
                output = await asyncio.to_thread(save_result, body, self._options.folder, item.name)
                return line._replace(output=output)
            except ModelUnavailable as error:
                self._abort(error)
                return None
            except (DeepaasError, OSError) as error:
                return line._replace(error=_log_failure(error, item))

    def _count(self, entry: ManifestEntry) -> None:
        self.counts.left -= 1
        if entry.error is None:
            self.counts.done += 1
            return
        self.counts.failed += 1
        if self._options.fail_fast:
            self.stop()

    async def _record(self, entry: ManifestEntry, *, is_reused: bool) -> None:
        try:
            await asyncio.to_thread(self._manifest.append, entry)
        except OSError as error:
            self._abort(error)
        else:
            self._on_entry(entry, is_reused)

    def _abort(self, problem: ModelUnavailable | OSError) -> None:
        """Stop the batch because of an error that does not concern a single input."""
        self._fatal_error = problem
        self.stop()


def _log_failure(error: DeepaasError | OSError, item: Input) -> str:
    """Log why an input failed, with the traceback for errors of user code, and return the reason."""
    reason = str(error)
    is_fault = isinstance(error, DeepaasError) and error.status >= _MIN_SERVER_ERROR
    trace = getattr(error, "detail", "") if is_fault else ""
    _log.error("%s: %s", item.path, reason, extra=traceback_extra(trace))
    return reason
