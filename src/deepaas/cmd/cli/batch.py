"""`deepaas-cli predict` for many files: planning, workers, signals, exit code."""

import asyncio
import contextlib
import dataclasses
import os
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
import uvloop

from deepaas.batch import inputs as batch_inputs
from deepaas.batch import shards
from deepaas.batch.inputs import Input
from deepaas.batch.manifest import Manifest
from deepaas.batch.runner import Batch, BatchOptions, InputCopy, PredictFn
from deepaas.batch.shards import Shard
from deepaas.cmd.cli.flag_values import (
    create_uploaded_file,
    hash_arguments,
    resolve_media_type,
    to_argument_sources,
)
from deepaas.cmd.cli.flags import FlagValues
from deepaas.cmd.cli.model_context import resolve_target
from deepaas.cmd.cli.output import LOGGER_NAME, log_call, print_result
from deepaas.cmd.cli.output_files import write_json
from deepaas.cmd.cli.progress import ProgressReporter
from deepaas.config.settings import Settings, WorkerRange
from deepaas.errors import InvalidArguments, PredictionFailed
from deepaas.log import get_logger
from deepaas.messages import Body, Call, Envelope, encode_call
from deepaas.metrics import Metrics
from deepaas.model.arguments import Arguments
from deepaas.model.model import LoadedModel
from deepaas.scratch import ScratchFolder, ScratchRoot
from deepaas.workers.pool import Pool
from deepaas.workers.pool_config import PoolConfig, build_pool_config, build_worker_config
from deepaas.workers.result_stream import ResultStream


class BatchPlan(NamedTuple):
    """The name of the batch argument, the values of the other arguments, and the files of this shard."""

    key: str
    shared_values: Mapping[str, FlagValues]
    inputs: list[Input]
    shard: Shard

    def build_raw_arguments(
        self, arguments: Arguments, copy: InputCopy, scratch: ScratchFolder
    ) -> dict[str, Any]:
        """Return the raw arguments of one prediction.

        Raise `InvalidArguments` if a file of another argument cannot be read.
        """
        sources = to_argument_sources(self.shared_values, scratch)
        files = {**sources.form, self.key: [create_uploaded_file(self.key, copy.path, copy.original_name)]}
        return arguments.collect(sources._replace(form=files))

    def validate(self, arguments: Arguments, scratch: ScratchFolder) -> None:
        """Raise `InvalidArguments` for errors that do not depend on the file."""
        for first in self.inputs[:1]:
            path = Path(first.path)
            raw = self.build_raw_arguments(arguments, InputCopy(path, path.name), scratch)
            try:
                arguments.validate_in_thread(raw)
            except PredictionFailed:
                return  # the file may be the cause
            except InvalidArguments as error:
                shared = {key: problem for key, problem in error.messages.items() if key != self.key}
                if shared:
                    raise InvalidArguments(shared) from error


def make_plan(flag_values: Mapping[str, FlagValues], key: str, ctx: click.Context) -> BatchPlan:
    """Find the files and select this shard. Raise `click.BadParameter` if there are none."""
    flag, values = flag_values[key]
    others = {name: flag_values[name] for name in flag_values if name != key}
    try:
        inputs = batch_inputs.expand_inputs(values, ctx.params["output_dir"])
    except ValueError as error:
        raise click.BadParameter(f"{', '.join(values)}: {error}.", param=flag) from error
    shard = _get_shard(ctx)
    return BatchPlan(key, others, shard.select(inputs), shard)


def _get_shard(ctx: click.Context) -> Shard:
    option = next(param for param in ctx.command.params if param.name == "shard")
    try:
        return shards.resolve_shard(ctx.params["shard"], os.environ)
    except ValueError as error:
        raise click.BadParameter(f"expected {error}.", param=option) from error


_EXIT_TEMPFAIL = 75  # EX_TEMPFAIL of sysexits.h: the batch can be resumed
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
_log = get_logger(LOGGER_NAME)


def run_batch(model: LoadedModel, flag_values: Mapping[str, FlagValues], key: str, ctx: click.Context) -> int:
    """Predict for every file of the argument `key`; print the counts and return the exit code.

    Raise `click.BadParameter` or `InvalidArguments` for errors that concern all files, and
    `ModelUnavailable` if the model cannot be used.
    """
    output: Path = ctx.params["output_dir"]
    plan = make_plan(flag_values, key, ctx)
    with contextlib.ExitStack() as stack:
        space = stack.enter_context(ScratchRoot())
        plan.validate(model.predict_arguments, space.create_folder())
        _create_output_folder(output, ctx)
        log_call("predict")
        _log.info("Part %d of %d: %d files", *plan.shard, len(plan.inputs))
        manifest = stack.enter_context(Manifest(output, plan.shard, resume=ctx.params["resume"]))
        progress = stack.enter_context(ProgressReporter(len(plan.inputs)))
        limits = _build_pool_config(model, ctx)
        pool = _create_pool(ctx.obj, limits)
        rules = BatchOptions(
            output, limits.max_queue, ctx.params["fail_fast"], hash_arguments(plan.shared_values)
        )
        batch = Batch(
            plan.inputs,
            _build_predict_fn(model, pool, plan),
            manifest=manifest,
            space=space,
            options=rules,
            on_entry=progress.record,
        )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            was_interrupted = runner.run(_run_until_signal(batch, pool))
        manifest.finalize(is_complete=not batch.counts.left)
    return _report_counts(batch, manifest, ctx, was_interrupted=was_interrupted)


def _create_output_folder(folder: Path, ctx: click.Context) -> None:
    """Create the output folder. Raise `UsageError`, which names its flag, if it is not writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        flag = next(param.opts[-1] for param in ctx.command.params if param.name == "output_dir")
        raise click.UsageError(
            f"The output folder {folder} cannot be written ({error.strerror}): name another with {flag}."
        ) from error


def _build_pool_config(model: LoadedModel, ctx: click.Context) -> PoolConfig:
    """Return a pool configuration with a fixed number of workers, and a queue of one batch for each.

    Scaling is off because the workers are busy from the first call to the last.
    """
    usual = build_pool_config(ctx.obj)
    if not model.implements("predict_batch"):
        usual = usual._replace(max_batch_size=1)
    workers = ctx.params["workers"] or usual.workers.max
    timeout_s = ctx.params["predict_timeout"]
    return usual._replace(
        workers=WorkerRange(workers, workers),
        predict_timeout_s=usual.predict_timeout_s if timeout_s is None else timeout_s,
        max_queue=workers * usual.max_batch_size,
        cancel_on_disconnect=True,
    )


def _create_pool(settings: Settings, limits: PoolConfig) -> Pool:
    """Return a pool whose workers ignore the signals that a batch system sends to all processes of a job."""
    name, target = resolve_target(settings)
    start = build_worker_config(name, target, settings)._replace(
        envelope=Envelope.NONE, ignored_signals=_STOP_SIGNALS
    )
    return Pool(start, limits, Metrics().create_pool_metrics(name))


def _build_predict_fn(model: LoadedModel, pool: Pool, plan: BatchPlan) -> PredictFn:
    """Return the function that predicts for one file."""
    declared = model.predict_arguments
    validating = asyncio.Lock()

    async def predict(copy: InputCopy, scratch: ScratchFolder) -> Body:
        raw = await asyncio.to_thread(plan.build_raw_arguments, declared, copy, scratch)
        media_type = resolve_media_type(declared, raw)
        # One at a time: validation may call user code, which need not be thread-safe.
        async with validating:
            arguments = await asyncio.to_thread(declared.validate_in_thread, raw)
        call = Call("predict", arguments, True, media_type, scratch.path, "-")  # noqa: FBT003
        outcome = await pool.predict(encode_call(call, raw), scratch)
        return await _collect_stream(outcome, scratch) if isinstance(outcome, ResultStream) else outcome

    return predict


async def _collect_stream(stream: ResultStream, scratch: ScratchFolder) -> Body:
    """Write a whole stream to a file and return it as one body."""
    path = scratch.create_file_path("")
    with stream, path.open("wb") as file:
        while chunk := await stream.read():
            await asyncio.to_thread(file.write, chunk)
    return Body(stream.media_type, b"", str(path))


async def _run_until_signal(batch: Batch, pool: Pool) -> bool:
    """Run the batch; return whether a signal arrived.

    The first signal lets running predictions finish; a second one, or one before the workers are warm,
    cancels them.
    """
    is_warm = asyncio.Event()
    working = asyncio.create_task(_run_in_pool(batch, pool, is_warm))
    received: list[str] = []

    def handle_signal(number: int) -> None:
        received.append(signal.Signals(number).name)
        if is_warm.is_set() and len(received) == 1:
            _log.info("%s: finishing the predictions that run", received[0])
            batch.stop()
        else:
            working.cancel()

    for number in (*_STOP_SIGNALS, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, handle_signal, number)
    with contextlib.suppress(asyncio.CancelledError):
        await working
    return bool(received)


async def _run_in_pool(batch: Batch, pool: Pool, is_warm: asyncio.Event) -> None:
    async with pool:
        await pool.start()
        is_warm.set()
        await batch.run()


def _report_counts(batch: Batch, manifest: Manifest, ctx: click.Context, *, was_interrupted: bool) -> int:
    """Print the counts of the batch, write them to the output file, and return the exit code."""
    counts = batch.counts
    summary = dataclasses.asdict(counts) | {"manifest": str(manifest.current_path)}
    write_json(summary, ctx)
    if was_interrupted and counts.left:
        _log.info("Stopped with %d left; --resume goes on from here", counts.left)
    print_result(summary)
    if was_interrupted and counts.left:
        return _EXIT_TEMPFAIL
    return 1 if counts.failed else 0
