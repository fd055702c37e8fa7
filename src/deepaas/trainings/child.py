"""What runs in a training's process: load the model, run `train`, and write how it ended.

It writes to the store itself, so that the record stays true when the server is gone.
"""

import contextlib
import faulthandler
import functools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from deepaas import log
from deepaas.errors import StoreUnavailable, StoreUnusable
from deepaas.log import get_logger
from deepaas.messages import Call, Start, Unframer
from deepaas.model import output
from deepaas.model.elsewhere import moved, take_path
from deepaas.model.failure import failure
from deepaas.model.model import Model
from deepaas.reporting import FOLDER_VARIABLE
from deepaas.spawned import hang_on, write_lines_at_once
from deepaas.trainings import provenance
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.job import share_secrets, take_secrets
from deepaas.trainings.outcome import Outcome, reserve_room
from deepaas.trainings.process import ProcessName
from deepaas.trainings.store import Store
from deepaas.trainings.training import State
from deepaas.trainings.watch import Watch

_LEFT_BEHIND_S = 5.0
_RETRY_S = 2.0
STORE_VARIABLE = "DEEPAAS_TRAINING_STORE"
_log = get_logger("deepaas.training")


def run(uuid: str, folder: TrainingFolder, store: Store, *, is_elsewhere: bool = False) -> None:
    """Do the job in `folder`, unless the training was cancelled or given up in the meantime."""
    process = ProcessName.own()
    of_process = {"host": process.host, "pid": process.pid, "process_start": process.start}
    begin = functools.partial(store.change, uuid, State.RUNNING, only_from=State.STARTING)
    if not _patiently(functools.partial(begin, started=time.time(), **of_process)):
        return
    reserve_room(folder)
    with Watch(folder, functools.partial(store.note, uuid), _heart(uuid, store)) as watch:
        outcome = _outcome(_Running(uuid, folder, store), process.pid, is_elsewhere=is_elsewhere)
        outcome = outcome._replace(values=watch.finish() | outcome.values)
        is_kept = _succeeds(outcome.write, folder)
    folder.drop_inputs()
    # What is in the folder is recorded by the server, or the next one, if that is not possible here.
    while not _succeeds(outcome.record, uuid, store, only_from=State.RUNNING) and not is_kept:
        time.sleep(_RETRY_S)
        is_kept = _succeeds(outcome.write, folder)


class _Running(NamedTuple):
    """A training that runs in this process."""

    uuid: str
    folder: TrainingFolder
    store: Store


def _outcome(training: _Running, pid: int, *, is_elsewhere: bool) -> Outcome:
    """Run the training and return how it ended, whatever the model's code does."""
    about: dict[str, Any] = {}
    packages: dict[str, Any] = {}
    end: dict[str, Any]
    try:
        result = _train(training, about, packages, is_elsewhere=is_elsewhere)
        state, end = State.DONE, {"output": result, "exit": "0"}
    except BaseException as error:
        if os.getpid() != pid:
            raise  # a process that the model forked is not the training
        found = failure(error)
        exit_ = str(error.code) if isinstance(error, SystemExit) and error.code is not None else "1"
        state, end = State.ERROR, {"message": found.message, "traceback": found.traceback, "exit": exit_}
        _log.error("The training failed", extra=log.with_trace(found.traceback))
    finished = {"finished": time.time(), "artifacts": training.folder.listing(hashed=True)}
    return Outcome(state, about | finished | end, packages)


def _patiently(change: Callable[[], bool]) -> bool:
    """Return what a change of the record returns, as soon as the store can be written."""
    while True:
        try:
            return change()
        except StoreUnavailable as error:
            _log.warning("%s Trying again.", error)
            time.sleep(_RETRY_S)


def _opened(url: str) -> Store:
    """Open the store, which the server could open, as soon as it is there."""
    while True:
        try:
            return Store(url).__enter__()
        except StoreUnusable as error:
            if not error.is_away:
                raise
            _log.warning("The records of trainings cannot be reached now. Trying again.")
            time.sleep(_RETRY_S)


def _succeeds(write: Callable[..., None], *arguments: Any, **options: Any) -> bool:
    """Write something and return whether that was possible."""
    try:
        write(*arguments, **options)
    except (OSError, StoreUnavailable) as error:
        # Clients read this log, so it names no folder.
        why = error.strerror if isinstance(error, OSError) else error
        _log.warning("The end of the training cannot be written: %s", why)
        return False
    return True


def _heart(uuid: str, store: Store) -> Callable[[], None]:
    """Return what tells other machines that the training runs; who shares a file shares the machine."""
    return (lambda: None) if store.is_file else functools.partial(store.beat, [uuid])


def _train(training: _Running, about: dict[str, Any], packages: dict[str, Any], *, is_elsewhere: bool) -> Any:
    """Return what `train` returned, as JSON values.

    Put what is to be recorded about the training into `about` and `packages`.
    """
    uuid, folder, store = training
    start, job = _begun(folder, is_elsewhere=is_elsewhere)
    environment = provenance.environment()
    about["environment"] = environment.key
    packages |= environment.content
    # The outcome says it again, in case the store is away.
    with contextlib.suppress(StoreUnavailable):
        store.keep_environment(environment.key, environment.content)
        store.note(uuid, environment=environment.key)
    model = _loaded(start)
    call = _call(job, functools.partial(take_secrets, folder))
    call = moved(call, str(folder.path)) if is_elsewhere else call
    about["uploads"] = provenance.upload_hashes(call.arguments)
    with contextlib.suppress(StoreUnavailable):
        store.note(uuid, uploads=about["uploads"])
    return output.record(_called(model, call))


def _begun(folder: TrainingFolder, *, is_elsewhere: bool) -> tuple[Start, Iterator[tuple[int, Any]]]:
    """Set up Python's path and the log as the server's job says; return its first message, and the others."""
    job = Unframer().feed(folder.job.read_bytes())
    _, start = next(job)
    assert isinstance(start, Start)
    take_path(start.python_path, is_elsewhere=is_elsewhere)
    log.configure(start.log_level, stream=sys.stdout, form=start.log_format)
    return start, job


def _call(job: Iterator[tuple[int, Any]], read_secrets: Callable[[], bytes]) -> Call:
    """Return the call of `train`; its arguments may be of classes that come with the model.

    One with a password is not in the job.
    """
    _, call = next(job, None) or next(Unframer().feed(read_secrets()))
    assert isinstance(call, Call)
    log.request_id.set(call.request_id)
    return call


def _loaded(start: Start) -> Model:
    model = Model.load(start.name, start.target)
    if start.warm:
        _warm(model)
    return model


def _called(model: Model, call: Call) -> Any:
    arguments = call.arguments if call.validated else model.train_arguments.validate(call.arguments)
    return model.function("train")(**arguments)


def _warm(model: Model) -> None:
    """Warm the model as for predictions; a training may be what makes that work again."""
    try:
        model.warm()
    except Exception:  # noqa: BLE001 - the author's code may raise anything
        _log.exception("warm() of the model %r failed; training all the same", model.name)


def main(uuid: str, folder: str, elsewhere: str = "") -> None:
    """Run the training; the store's URL, which may hold a password, comes by the environment.

    Libraries that train in several processes, such as Lightning with DDP, start this command line again. Such
    a process finds no store: it runs `train` with the same arguments, and leaves the record to the first one.
    """
    faulthandler.enable()
    write_lines_at_once()
    store_url = os.environ.pop(STORE_VARIABLE, None)
    if store_url is None:
        return _train_beside(TrainingFolder(Path(folder)), is_elsewhere=bool(elsewhere))
    if elsewhere:
        hang_on()
    try:
        with contextlib.closing(_opened(store_url)) as store:
            run(uuid, TrainingFolder(Path(folder)), store, is_elsewhere=bool(elsewhere))
    except (StoreUnusable, SQLAlchemyError) as error:
        # Clients read this log: it names neither the database nor what its driver says. The server meets the
        # same database when it records the end, and its log says more.
        raise SystemExit(
            f"The training cannot be recorded ({type(error).__name__}): see the server's log."
        ) from None
    # The training has ended; threads that the model left behind must not keep its place taken.
    limit = threading.Timer(_LEFT_BEHIND_S, os._exit, (0,))
    limit.daemon = True
    limit.start()
    return None


def _train_beside(folder: TrainingFolder, *, is_elsewhere: bool) -> None:
    """Run `train` in a process that it started itself with this command line; what it reports is dropped."""
    os.environ.pop(FOLDER_VARIABLE, None)
    start, job = _begun(folder, is_elsewhere=is_elsewhere)
    model = _loaded(start)
    call = _call(job, share_secrets)
    _called(model, moved(call, str(folder.path)) if is_elsewhere else call)


if __name__ == "__main__":
    main(*sys.argv[1:])
