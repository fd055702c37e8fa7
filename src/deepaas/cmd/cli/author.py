"""Owns how the author's functions are run in this process, and how their errors are told.

Must not know which function is run.
"""

import contextlib
import faulthandler
import multiprocessing
import os
from collections.abc import Iterator

import click

from deepaas.cmd.cli.telling import Failure
from deepaas.model.failure import failure


@contextlib.contextmanager
def authors_code() -> Iterator[None]:
    """Run the author's code as the flags want it. Raise `Failure` for whatever it raises.

    A process that the model forked ends as it would anywhere.
    """
    faulthandler.enable()
    spawned = click.get_current_context().find_root().params.get("deepaas_with_multiprocessing")
    if spawned:
        multiprocessing.set_start_method("spawn", force=True)
    pid = os.getpid()
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if os.getpid() != pid:
            raise
        found = failure(error)
        raise Failure(found.message, getattr(error, "detail", "") or found.traceback) from error
