"""Runs a training in its process: loads the model, calls `train` and records the outcome.

It writes to the database itself, so that the record stays correct after its server exits.
"""

import contextlib
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from deepaas import log
from deepaas.child_setup import ForkGuard
from deepaas.errors import ModelLoadError, StoreError, StoreUnavailable
from deepaas.log import get_logger
from deepaas.messages import Call, FrameDecoder, WorkerConfig, unpickle_arguments
from deepaas.model import rendering
from deepaas.model.failures import failure_from_exception
from deepaas.model.model import LoadedModel
from deepaas.model.relocation import relocate_call, set_module_path
from deepaas.reporting import FOLDER_VARIABLE
from deepaas.standard_streams import DescriptorSentinel, duplicate_stream
from deepaas.trainings import provenance
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.job import consume_secrets, read_shared_secrets
from deepaas.trainings.monitor import TrainingMonitor
from deepaas.trainings.outcome import Outcome, reserve_disk_space
from deepaas.trainings.process_id import ProcessId
from deepaas.trainings.record import TrainingState
from deepaas.trainings.store import TrainingStore

_RETRY_INTERVAL_S = 2.0
_log = get_logger("deepaas.training")


def record_training(uuid: str, folder: TrainingFolder, store: TrainingStore, *, is_remote: bool) -> None:
    """Run the job in `folder` and record it in the database. Raise `SystemExit` if it cannot be recorded."""
    try:
        with contextlib.closing(_open_store(store)):
            _run(uuid, folder, store, is_remote=is_remote)
    except (StoreError, SQLAlchemyError) as error:
        # Clients can read this log, so it names neither the database nor the driver's error. The server logs
        # the error when it records the outcome.
        raise SystemExit(
            f"The training cannot be recorded ({type(error).__name__}): see the server's log."
        ) from None


def train_without_record(folder: TrainingFolder, *, is_remote: bool) -> None:
    """Run `train` in a process that user code started with this command line; discard its reports."""
    os.environ.pop(FOLDER_VARIABLE, None)
    start, job = _load_job(folder, is_remote=is_remote)
    with ForkGuard(), contextlib.closing(_load_model(start)) as model:
        call = _load_call(job, read_shared_secrets)
        _call_train(model, relocate_call(call, str(folder.path)) if is_remote else call)


def _run(uuid: str, folder: TrainingFolder, store: TrainingStore, *, is_remote: bool) -> None:
    """Run the job in `folder`, unless the training was cancelled or marked lost before."""
    process = ProcessId.current()
    of_process = {"host": process.host, "pid": process.pid, "process_start": process.start}
    begin = functools.partial(store.transition, uuid, TrainingState.RUNNING, only_from=TrainingState.STARTING)
    if not _retry_while_unavailable(functools.partial(begin, started=time.time(), **of_process)):
        return
    reserve_disk_space(folder)
    with TrainingMonitor(
        folder, functools.partial(store.update, uuid), _make_lease_renewal(uuid, store)
    ) as watch:
        outcome = _run_training(_TrainingContext(uuid, folder, store), is_remote=is_remote)
        outcome = outcome._replace(values=watch.finish() | outcome.values)
        is_kept = _try_write(outcome.write, folder)
    folder.delete_inputs()
    # If the database is unavailable, the server or its successor records the outcome from the folder.
    while not _try_write(outcome.record, uuid, store, only_from=TrainingState.RUNNING) and not is_kept:
        time.sleep(_RETRY_INTERVAL_S)
        is_kept = _try_write(outcome.write, folder)


class _TrainingContext(NamedTuple):
    """The training of this process."""

    uuid: str
    folder: TrainingFolder
    store: TrainingStore


def _run_training(training: _TrainingContext, *, is_remote: bool) -> Outcome:
    """Run the training and return its outcome, whatever the user code raises."""
    about: dict[str, Any] = {}
    packages: dict[str, Any] = {}
    end: dict[str, Any]
    try:
        with ForkGuard():  # a process that the model forks is not the training
            result = _train(training, about, packages, is_remote=is_remote)
        state, end = TrainingState.DONE, {"output": result, "exit": "0"}
    except BaseException as error:  # noqa: BLE001 - user code may raise anything
        found = failure_from_exception(error)
        exit_ = str(error.code) if isinstance(error, SystemExit) and error.code is not None else "1"
        state, end = (
            TrainingState.ERROR,
            {"message": found.message, "traceback": found.traceback, "exit": exit_},
        )
        _log.error("The training failed", extra=log.traceback_extra(found.traceback))
    finished = {"finished": time.time(), "artifacts": training.folder.list_artifacts(hashed=True)}
    return Outcome(state, about | finished | end, packages)


def _retry_while_unavailable(change: Callable[[], bool]) -> bool:
    while True:
        try:
            return change()
        except StoreUnavailable as error:
            _log.warning("%s Retrying.", error)
            time.sleep(_RETRY_INTERVAL_S)


def _open_store(store: TrainingStore) -> TrainingStore:
    """Open the store; retry while the database is unreachable, since the server could open it before."""
    while True:
        try:
            return store.__enter__()
        except StoreError as error:
            if not error.is_unreachable:
                raise
            _log.warning("The training database cannot be reached; retrying")
            time.sleep(_RETRY_INTERVAL_S)


def _try_write(write: Callable[..., None], *arguments: Any, **options: Any) -> bool:
    """Call `write` and return whether it succeeded."""
    try:
        write(*arguments, **options)
    except (OSError, StoreUnavailable) as error:
        # Clients can read this log, so it names no folder.
        why = error.strerror if isinstance(error, OSError) else error
        _log.warning("Could not write the outcome of the training: %s", why)
        return False
    return True


def _make_lease_renewal(uuid: str, store: TrainingStore) -> Callable[[], None]:
    """Return a function that renews the training's lease; with a SQLite file, nothing expires."""
    return (lambda: None) if store.is_file else functools.partial(store.renew_leases, [uuid])


def _train(
    training: _TrainingContext, values: dict[str, Any], packages: dict[str, Any], *, is_remote: bool
) -> Any:
    """Run `train` and return its result as JSON values.

    Adds values of the record to `values`, and the installed packages to `packages`.
    """
    uuid, folder, store = training
    start, job = _load_job(folder, is_remote=is_remote)
    environment = provenance.collect_environment()
    values["environment"] = environment.key
    packages |= environment.content
    # The outcome contains these values too, in case the database is unavailable now.
    with contextlib.suppress(StoreUnavailable):
        store.save_environment(environment.key, environment.content)
        store.update(uuid, environment=environment.key)
    with contextlib.closing(_load_model(start)) as model:
        call = _load_call(job, functools.partial(consume_secrets, folder))
        call = relocate_call(call, str(folder.path)) if is_remote else call
        values["uploads"] = provenance.hash_uploads(call.arguments)
        with contextlib.suppress(StoreUnavailable):
            store.update(uuid, uploads=values["uploads"])
        return rendering.to_jsonable_or_repr(_call_train(model, call))


def _load_job(folder: TrainingFolder, *, is_remote: bool) -> tuple[WorkerConfig, Iterator[tuple[int, Any]]]:
    """Read the job, set Python's path and logging accordingly; return its config and the other messages."""
    job = FrameDecoder().feed(folder.job.read_bytes())
    _, start = next(job)
    assert isinstance(start, WorkerConfig)
    set_module_path(start.python_path, is_remote=is_remote)
    log.configure(start.log_level, stream=duplicate_stream(sys.stdout), log_format=start.log_format)
    return start, job


def _load_call(job: Iterator[tuple[int, Any]], read_secrets: Callable[[], bytes]) -> Call:
    """Return the call of `train`. Load the model first: arguments may be of its classes.

    A call with a password is not in the job but returned by `read_secrets`.
    """
    _, call = next(job, None) or next(FrameDecoder().feed(read_secrets()))
    assert isinstance(call, Call)
    log.request_id.set(call.request_id)
    return unpickle_arguments(call)


def _load_model(start: WorkerConfig) -> LoadedModel:
    sentinel = DescriptorSentinel(os.open("/", os.O_RDONLY))
    model = LoadedModel.load(start.name, start.target)
    if start.warm:
        _warm_model(model)
    if not sentinel.is_intact():
        raise ModelLoadError(sentinel.describe())
    return model


def _call_train(model: LoadedModel, call: Call) -> Any:
    arguments = call.arguments if call.validated else model.train_arguments.validate(call.arguments)
    return model.call("train", **arguments)


def _warm_model(model: LoadedModel) -> None:
    """Warm the model as for predictions. Errors are logged only: this training may be the repair."""
    try:
        model.warm()
    except Exception:  # noqa: BLE001 - user code may raise anything
        _log.exception("warm() of the model %r failed; training anyway", model.name)
