"""What runs in a training's process: load the model, run `train`, and write how it ended.

It writes to the store itself, so that the record stays true when the server is gone.
"""

import contextlib
import faulthandler
import functools
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from deepaas import log
from deepaas.child_setup import exit_with_parent, use_line_buffering
from deepaas.errors import StoreError, StoreUnavailable
from deepaas.log import get_logger
from deepaas.messages import Call, FrameDecoder, WorkerConfig
from deepaas.model import rendering
from deepaas.model.failures import failure_from_exception
from deepaas.model.model import Model
from deepaas.model.relocation import relocate_call, set_module_path
from deepaas.reporting import FOLDER_VARIABLE
from deepaas.trainings import provenance
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.job import consume_secrets, read_shared_secrets
from deepaas.trainings.monitor import TrainingMonitor
from deepaas.trainings.outcome import Outcome, reserve_disk_space
from deepaas.trainings.process_id import ProcessId
from deepaas.trainings.record import TrainingState
from deepaas.trainings.store import TrainingStore

_EXIT_GRACE_S = 5.0
_RETRY_INTERVAL_S = 2.0
STORE_URL_VARIABLE = "DEEPAAS_TRAINING_STORE"
_log = get_logger("deepaas.training")


def run(uuid: str, folder: TrainingFolder, store: TrainingStore, *, is_remote: bool = False) -> None:
    """Do the job in `folder`, unless the training was cancelled or given up in the meantime."""
    process = ProcessId.current()
    of_process = {"host": process.host, "pid": process.pid, "process_start": process.start}
    begin = functools.partial(store.transition, uuid, TrainingState.RUNNING, only_from=TrainingState.STARTING)
    if not _retry_while_unavailable(functools.partial(begin, started=time.time(), **of_process)):
        return
    reserve_disk_space(folder)
    with TrainingMonitor(
        folder, functools.partial(store.update, uuid), _make_heartbeat(uuid, store)
    ) as watch:
        outcome = _run_training(_TrainingContext(uuid, folder, store), process.pid, is_remote=is_remote)
        outcome = outcome._replace(values=watch.finish() | outcome.values)
        is_kept = _try_write(outcome.write, folder)
    folder.delete_inputs()
    # What is in the folder is recorded by the server, or the next one, if that is not possible here.
    while not _try_write(outcome.record, uuid, store, only_from=TrainingState.RUNNING) and not is_kept:
        time.sleep(_RETRY_INTERVAL_S)
        is_kept = _try_write(outcome.write, folder)


class _TrainingContext(NamedTuple):
    """A training that runs in this process."""

    uuid: str
    folder: TrainingFolder
    store: TrainingStore


def _run_training(training: _TrainingContext, pid: int, *, is_remote: bool) -> Outcome:
    """Run the training and return how it ended, whatever the model's code does."""
    about: dict[str, Any] = {}
    packages: dict[str, Any] = {}
    end: dict[str, Any]
    try:
        result = _train(training, about, packages, is_remote=is_remote)
        state, end = TrainingState.DONE, {"output": result, "exit": "0"}
    except BaseException as error:
        if os.getpid() != pid:
            raise  # a process that the model forked is not the training
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
    """Return what a change of the record returns, as soon as the store can be written."""
    while True:
        try:
            return change()
        except StoreUnavailable as error:
            _log.warning("%s Trying again.", error)
            time.sleep(_RETRY_INTERVAL_S)


def _open_store(url: str) -> TrainingStore:
    """Open the store, which the server could open, as soon as it is there."""
    while True:
        try:
            return TrainingStore(url).__enter__()
        except StoreError as error:
            if not error.is_unreachable:
                raise
            _log.warning("The records of trainings cannot be reached now. Trying again.")
            time.sleep(_RETRY_INTERVAL_S)


def _try_write(write: Callable[..., None], *arguments: Any, **options: Any) -> bool:
    """Write something and return whether that was possible."""
    try:
        write(*arguments, **options)
    except (OSError, StoreUnavailable) as error:
        # Clients read this log, so it names no folder.
        why = error.strerror if isinstance(error, OSError) else error
        _log.warning("The end of the training cannot be written: %s", why)
        return False
    return True


def _make_heartbeat(uuid: str, store: TrainingStore) -> Callable[[], None]:
    """Return what tells other machines that the training runs; who shares a file shares the machine."""
    return (lambda: None) if store.is_file else functools.partial(store.record_heartbeats, [uuid])


def _train(
    training: _TrainingContext, values: dict[str, Any], packages: dict[str, Any], *, is_remote: bool
) -> Any:
    """Return what `train` returned, as JSON values.

    Put what is to be recorded about the training into `about` and `packages`.
    """
    uuid, folder, store = training
    start, job = _load_job(folder, is_remote=is_remote)
    environment = provenance.collect_environment()
    values["environment"] = environment.key
    packages |= environment.content
    # The outcome says it again, in case the store is away.
    with contextlib.suppress(StoreUnavailable):
        store.save_environment(environment.key, environment.content)
        store.update(uuid, environment=environment.key)
    model = _load_model(start)
    call = _load_call(job, functools.partial(consume_secrets, folder))
    call = relocate_call(call, str(folder.path)) if is_remote else call
    values["uploads"] = provenance.hash_uploads(call.arguments)
    with contextlib.suppress(StoreUnavailable):
        store.update(uuid, uploads=values["uploads"])
    return rendering.to_jsonable_or_repr(_call_train(model, call))


def _load_job(folder: TrainingFolder, *, is_remote: bool) -> tuple[WorkerConfig, Iterator[tuple[int, Any]]]:
    """Set up Python's path and the log as the server's job says; return its first message, and the others."""
    job = FrameDecoder().feed(folder.job.read_bytes())
    _, start = next(job)
    assert isinstance(start, WorkerConfig)
    set_module_path(start.python_path, is_remote=is_remote)
    log.configure(start.log_level, stream=sys.stdout, log_format=start.log_format)
    return start, job


def _load_call(job: Iterator[tuple[int, Any]], read_secrets: Callable[[], bytes]) -> Call:
    """Return the call of `train`; its arguments may be of classes that come with the model.

    One with a password is not in the job.
    """
    _, call = next(job, None) or next(FrameDecoder().feed(read_secrets()))
    assert isinstance(call, Call)
    log.request_id.set(call.request_id)
    return call


def _load_model(start: WorkerConfig) -> Model:
    model = Model.load(start.name, start.target)
    if start.warm:
        _warm_model(model)
    return model


def _call_train(model: Model, call: Call) -> Any:
    arguments = call.arguments if call.validated else model.train_arguments.validate(call.arguments)
    return model.get_function("train")(**arguments)


def _warm_model(model: Model) -> None:
    """Warm the model as for predictions; a training may be what makes that work again."""
    try:
        model.warm()
    except Exception:  # noqa: BLE001 - the author's code may raise anything
        _log.exception("warm() of the model %r failed; training all the same", model.name)


def main(uuid: str, folder: str, remote: str = "") -> None:
    """Run the training; the store's URL, which may hold a password, comes by the environment.

    Libraries that train in several processes, such as Lightning with DDP, start this command line again. Such
    a process finds no store: it runs `train` with the same arguments, and leaves the record to the first one.
    """
    faulthandler.enable()
    use_line_buffering()
    gc.freeze()  # what is imported by now stays; going through it when the process ends took 35 ms
    store_url = os.environ.pop(STORE_URL_VARIABLE, None)
    if store_url is None:
        return _train_without_record(TrainingFolder(Path(folder)), is_remote=bool(remote))
    if remote:
        exit_with_parent()
    try:
        with contextlib.closing(_open_store(store_url)) as store:
            run(uuid, TrainingFolder(Path(folder)), store, is_remote=bool(remote))
    except (StoreError, SQLAlchemyError) as error:
        # Clients read this log: it names neither the database nor what its driver says. The server meets the
        # same database when it records the end, and its log says more.
        raise SystemExit(
            f"The training cannot be recorded ({type(error).__name__}): see the server's log."
        ) from None
    # The training has ended; threads that the model left behind must not keep its place taken.
    limit = threading.Timer(_EXIT_GRACE_S, os._exit, (0,))
    limit.daemon = True
    limit.start()
    return None


def _train_without_record(folder: TrainingFolder, *, is_remote: bool) -> None:
    """Run `train` in a process that it started itself with this command line; what it reports is dropped."""
    os.environ.pop(FOLDER_VARIABLE, None)
    start, job = _load_job(folder, is_remote=is_remote)
    model = _load_model(start)
    call = _load_call(job, read_shared_secrets)
    _call_train(model, relocate_call(call, str(folder.path)) if is_remote else call)


if __name__ == "__main__":
    main(*sys.argv[1:])
