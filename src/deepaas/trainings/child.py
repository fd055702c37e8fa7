"""What runs in a training's process: load the model, run `train`, and write how it ended.

It writes to the store itself, so that the record stays true when the server is gone.
"""

import faulthandler
import functools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deepaas import log
from deepaas.messages import Call, Start, Unframer
from deepaas.model import output
from deepaas.model.elsewhere import moved, take_path
from deepaas.model.failure import failure
from deepaas.model.model import Model
from deepaas.spawned import hang_on, write_lines_at_once
from deepaas.trainings import provenance
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.process import ProcessName
from deepaas.trainings.store import Store
from deepaas.trainings.training import State
from deepaas.trainings.watch import Watch

_LEFT_BEHIND_S = 5.0
STORE_VARIABLE = "DEEPAAS_TRAINING_STORE"
_log = logging.getLogger("deepaas.training")


def run(uuid: str, folder: TrainingFolder, store: Store, *, is_elsewhere: bool = False) -> None:
    """Do the job in `folder`, unless the training was cancelled or given up in the meantime."""
    process = ProcessName.own()
    of_process = {"host": process.host, "pid": process.pid, "pid_started": process.started}
    if not store.change(uuid, State.RUNNING, only_from=State.STARTING, started=time.time(), **of_process):
        return
    end: dict[str, Any]
    try:
        with Watch(folder, functools.partial(store.note, uuid), _heart(uuid, store)):
            result = _train(uuid, folder, store, is_elsewhere=is_elsewhere)
        end_state, end = State.DONE, {"output": result, "exit": "0"}
    except BaseException as error:
        if os.getpid() != process.pid:
            raise  # a process that the model forked is not the training
        found = failure(error)
        end_state = State.ERROR
        exit_ = str(error.code) if isinstance(error, SystemExit) and error.code is not None else "1"
        end = {"message": found.message, "traceback": found.traceback, "exit": exit_}
        _log.error("The training failed", extra=log.with_trace(found.traceback))
    finished = {"finished": time.time(), "artifacts": folder.listing(hashed=True)}
    folder.drop_inputs()
    store.change(uuid, end_state, only_from=State.RUNNING, **finished, **end)


def _heart(uuid: str, store: Store) -> Callable[[], None]:
    """Return what tells other machines that the training runs; who shares a file shares the machine."""
    return (lambda: None) if store.is_file else functools.partial(store.beat, [uuid])


def _train(uuid: str, folder: TrainingFolder, store: Store, *, is_elsewhere: bool) -> Any:
    """Return what `train` returned, as JSON values."""
    job = Unframer().feed(folder.job.read_bytes())
    _, start = next(job)
    assert isinstance(start, Start)
    take_path(start.python_path, is_elsewhere=is_elsewhere)
    log.configure(start.log_level, stream=sys.stdout, form=start.log_format)
    environment = provenance.environment()
    store.keep_environment(environment.key, environment.content)
    store.note(uuid, environment=environment.key)
    model = Model.load(start.name, start.target)
    if start.warm:
        _warm(model)
    _, call = next(job)
    assert isinstance(call, Call)
    call = moved(call, str(folder.path)) if is_elsewhere else call
    log.request_id.set(call.request_id)
    store.note(uuid, uploads=provenance.upload_hashes(call.arguments))
    arguments = call.arguments if call.validated else model.train_arguments.validate(call.arguments)
    return output.record(model.function("train")(**arguments))


def _warm(model: Model) -> None:
    """Warm the model as for predictions; a training may be what makes that work again."""
    try:
        model.warm()
    except Exception:  # noqa: BLE001 - the author's code may raise anything
        _log.exception("warm() of the model %r failed; training all the same", model.name)


def main(uuid: str, folder: str, elsewhere: str = "") -> None:
    """Run the training; the store's URL, which may hold a password, comes by the environment."""
    faulthandler.enable()
    if elsewhere:
        hang_on()
    write_lines_at_once()
    with Store(os.environ.pop(STORE_VARIABLE)) as store:
        run(uuid, TrainingFolder(Path(folder)), store, is_elsewhere=bool(elsewhere))
    # The training has ended; threads that the model left behind must not keep its place taken.
    limit = threading.Timer(_LEFT_BEHIND_S, os._exit, (0,))
    limit.daemon = True
    limit.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
