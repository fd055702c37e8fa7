"""Entry point of a training's process: `python -m deepaas.trainings.child UUID FOLDER LEASE_S [remote]`."""

import faulthandler
import gc
import os
import sys
import threading
from pathlib import Path

from deepaas.child_setup import exit_with_parent, prepare_output
from deepaas.trainings.folder import TrainingFolder

STORE_URL_VARIABLE = "DEEPAAS_TRAINING_STORE"
_EXIT_GRACE_S = 5.0


def main(uuid: str, folder: str, lease_s: str, remote: str = "") -> None:
    """Run the training. The database URL, which may hold a password, is in the environment.

    Libraries that train in several processes, such as Lightning with DDP, start this command line again. Such
    a process has no database URL: it runs `train` with the same arguments, and the first process records it.
    """
    prepare_output()
    faulthandler.enable()
    # Imports create no garbage; collections then, and at exit, took a quarter of a short training's time.
    gc.disable()
    from deepaas.trainings import training_run  # noqa: PLC0415
    from deepaas.trainings.store import TrainingStore  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    store_url = os.environ.pop(STORE_URL_VARIABLE, None)
    if store_url is None:
        return training_run.train_without_record(TrainingFolder(Path(folder)), is_remote=bool(remote))
    if remote:
        exit_with_parent()
    store = TrainingStore(store_url, float(lease_s))
    training_run.record_training(uuid, TrainingFolder(Path(folder)), store, is_remote=bool(remote))
    # Threads that user code left running must not keep the process, and thus its slot, busy.
    limit = threading.Timer(_EXIT_GRACE_S, os._exit, (0,))
    limit.daemon = True
    limit.start()
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
