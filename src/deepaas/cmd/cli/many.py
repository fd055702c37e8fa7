"""Owns a batch of predictions: the workers that answer, the signals that stop it, and its exit code.

Must not know how flags are spelled, nor which files there are.
"""

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click
import uvloop

from deepaas import calling
from deepaas.batch.manifest import Manifest
from deepaas.batch.runner import Ask, Batch, Copy, Rules
from deepaas.cmd.cli.chosen import target_of
from deepaas.cmd.cli.flags import Texts
from deepaas.cmd.cli.given import accepted, digest_of
from deepaas.cmd.cli.plan import Plan, plan_of
from deepaas.cmd.cli.progress import Progress
from deepaas.cmd.cli.telling import NAME, log_call, print_result
from deepaas.cmd.cli.writing import write_json
from deepaas.files import Scratch, ScratchSpace
from deepaas.log import get_logger
from deepaas.messages import Body, Call, Envelope
from deepaas.metrics import Metrics
from deepaas.model.model import Model
from deepaas.scale import Scale
from deepaas.settings import Settings
from deepaas.workers.limits import Limits
from deepaas.workers.pool import Pool
from deepaas.workers.stream import Stream

_STOPPED = 75  # EX_TEMPFAIL: trying again later goes on from here
_STOPPING = (signal.SIGTERM, signal.SIGUSR1)
_log = get_logger(NAME)


def predict_many(model: Model, texts: Mapping[str, Texts], key: str, ctx: click.Context) -> int:
    """Predict for every file that the argument `key` stands for; print how many, and return the exit code.

    Raise `click.BadParameter` or `InvalidArguments` for what is wrong with all of them, and
    `ModelUnavailable` when the model cannot be used.
    """
    output: Path = ctx.params["output_dir"]
    plan = plan_of(texts, key, ctx)
    with contextlib.ExitStack() as stack:
        space = stack.enter_context(ScratchSpace())
        plan.check(model.predict_arguments, space.folder())
        _make_writable(output, ctx)
        log_call("predict")
        _log.info("Part %d of %d: %d files", *plan.shard, len(plan.inputs))
        manifest = stack.enter_context(Manifest(output, plan.shard, resume=ctx.params["resume"]))
        progress = stack.enter_context(Progress(len(plan.inputs)))
        limits = _limits(model, ctx)
        pool = _pool(ctx.obj, limits)
        rules = Rules(output, limits.max_queue, ctx.params["fail_fast"], digest_of(plan.others))
        batch = Batch(
            plan.inputs,
            _ask(model, pool, plan),
            manifest=manifest,
            space=space,
            rules=rules,
            on_line=progress.note,
        )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            was_told = runner.run(_until_told(batch, pool))
        manifest.end(is_complete=not batch.counts.left)
    return _end(batch, manifest, ctx, was_told=was_told)


def _make_writable(folder: Path, ctx: click.Context) -> None:
    """Make the folder of the results. Raise `UsageError`, naming its flag, when it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        flag = next(param.opts[-1] for param in ctx.command.params if param.name == "output_dir")
        raise click.UsageError(
            f"The output folder {folder} cannot be written ({error.strerror}): name another with {flag}."
        ) from error


def _limits(model: Model, ctx: click.Context) -> Limits:
    """Return the limits of a pool that is never asked for more than its workers can have at once.

    All its workers are there from the first call to the last, for that is how long they have something to do.
    """
    usual = calling.limits_of(model, ctx.obj)
    workers = ctx.params["workers"] or usual.scale.most
    timeout_s = ctx.params["predict_timeout"]
    return usual._replace(
        scale=Scale(workers, workers),
        predict_timeout_s=usual.predict_timeout_s if timeout_s is None else timeout_s,
        max_queue=workers * usual.most_together,
        cancel_on_disconnect=True,
    )


def _pool(settings: Settings, limits: Limits) -> Pool:
    """Return workers that a batch system's signals, which come to every process of a job, do not end."""
    name, target = target_of(settings)
    start = calling.start_of(name, target, settings)._replace(envelope=Envelope.NONE, deaf_to=_STOPPING)
    return Pool(start, limits, Metrics().of_pool(name))


def _ask(model: Model, pool: Pool, plan: Plan) -> Ask:
    """Return what answers for one file."""
    declared = model.predict_arguments
    validating = asyncio.Lock()

    async def ask(copy: Copy, scratch: Scratch) -> Body:
        raw = await asyncio.to_thread(plan.raw, declared, copy, scratch)
        media_type = accepted(declared, raw)
        # One after the other: the author, whose code this may call, need not think of threads.
        async with validating:
            arguments = await asyncio.to_thread(declared.validate_safely, raw)
        call = Call("predict", arguments, True, media_type, scratch.path, "-")  # noqa: FBT003
        outcome = await calling.predict(pool, calling.encoded(call, raw), scratch)
        return await _whole(outcome, scratch) if isinstance(outcome, Stream) else outcome

    return ask


async def _whole(stream: Stream, scratch: Scratch) -> Body:
    """Return all of a stream as one body."""
    path = scratch.new_file("")
    with stream, path.open("wb") as file:
        while chunk := await stream.read():
            await asyncio.to_thread(file.write, chunk)
    return Body(stream.media_type, b"", str(path))


async def _until_told(batch: Batch, pool: Pool) -> bool:
    """Do the batch; say whether a signal came. The first lets what runs end, the second does not."""
    is_warm = asyncio.Event()
    working = asyncio.create_task(_work(batch, pool, is_warm))
    told: list[str] = []

    def note(number: int) -> None:
        told.append(signal.Signals(number).name)
        if is_warm.is_set() and len(told) == 1:
            _log.info("%s: finishing the predictions that run", told[0])
            batch.stop()
        else:
            working.cancel()

    for number in (*_STOPPING, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, note, number)
    with contextlib.suppress(asyncio.CancelledError):
        await working
    return bool(told)


async def _work(batch: Batch, pool: Pool, is_warm: asyncio.Event) -> None:
    async with pool:
        is_warm.set()
        await batch.run()


def _end(batch: Batch, manifest: Manifest, ctx: click.Context, *, was_told: bool) -> int:
    """Print what came of the batch, and return the exit code."""
    counts = batch.counts
    summary = counts._asdict() | {"manifest": str(manifest.place)}
    write_json(summary, ctx)
    if was_told and counts.left:
        _log.info("Stopped with %d left; --resume goes on from here", counts.left)
    print_result(summary)
    if was_told and counts.left:
        return _STOPPED
    return 1 if counts.failed else 0
