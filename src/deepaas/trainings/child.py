"""What runs in a training's process: load the model, run `train`, and write how it ended.

It writes to the store itself, so that the record stays true when the server is gone.
"""

import faulthandler
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from deepaas import log
from deepaas.messages import Call, Start, Unframer
from deepaas.model import output
from deepaas.model.failure import failure
from deepaas.model.model import Model
from deepaas.spawn import write_lines_at_once
from deepaas.trainings.store import Store
from deepaas.trainings.training import State

JOB = "job"
_log = logging.getLogger("deepaas.training")


def run(uuid: str, folder: Path, store: Store) -> None:
    """Do the job in `folder`, unless the training was cancelled or given up in the meantime."""
    process = psutil.Process()
    now = {"pid": process.pid, "pid_started": process.create_time(), "started": time.time()}
    if not store.change(uuid, State.RUNNING, only_from=State.STARTING, **now):
        return
    try:
        end = {"state": State.DONE, "output": _train(Unframer().feed((folder / JOB).read_bytes()))}
    except BaseException as error:  # noqa: BLE001 - the author's code may raise anything
        found = failure(error)
        end = {"state": State.ERROR, "message": found.message, "traceback": found.traceback}
        _log.error("The training failed", extra=log.with_trace(found.traceback))
    store.change(uuid, only_from=State.RUNNING, finished=time.time(), **end)


def _train(job: Iterator[tuple[int, Any]]) -> Any:
    """Return what `train` returned, as JSON values."""
    _, start = next(job)
    assert isinstance(start, Start)
    sys.path[:] = start.python_path
    log.configure(start.log_level, stream=sys.stdout)
    model = Model.load(start.name, start.target)
    if start.warm:
        _warm(model)
    _, call = next(job)
    assert isinstance(call, Call)
    log.request_id.set(call.request_id)
    arguments = call.arguments if call.validated else model.train_arguments.validate(call.arguments)
    return output.record(model.function("train")(**arguments))


def _warm(model: Model) -> None:
    """Warm the model as for predictions; a training may be what makes that work again."""
    try:
        model.warm()
    except Exception:  # noqa: BLE001 - the author's code may raise anything
        _log.exception("warm() of the model %r failed; training all the same", model.name)


def main(uuid: str, folder: str, store_url: str) -> None:
    """Run the training."""
    faulthandler.enable()
    write_lines_at_once()
    with Store(store_url) as store:
        run(uuid, Path(folder), store)


if __name__ == "__main__":
    main(*sys.argv[1:])
