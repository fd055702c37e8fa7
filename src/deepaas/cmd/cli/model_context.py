"""Loads the model that the command line names, and runs its code with errors in one line."""

import contextlib
import faulthandler
import multiprocessing
import os
import sys
from collections.abc import Iterator

import click

from deepaas.cmd.cli.output import CliError
from deepaas.config.settings import Settings
from deepaas.errors import DeepaasError, ModelNotFound
from deepaas.model import loader
from deepaas.model.failures import failure_from_exception
from deepaas.model.model import Model


def resolve_target(settings: Settings) -> tuple[str, str]:
    """Return the name and the target of the one model that the settings name, or that is installed.

    Raise `ModelNotFound`, listing what is installed, when there is none, or none of several was named.
    """
    found = loader.select_models(settings.model_name, settings.model)
    if len(found) > 1:
        raise ModelNotFound(
            f"Several models are installed: {', '.join(found)}. "
            "Choose one with --model-name, or in the environment variable DEEPAAS_V2_MODEL."
        )
    return next(iter(found.items()))


def load_model(settings: Settings) -> Model:
    """Import the model. Raise `ModelNotFound` or `ModelLoadError`."""
    return Model.load(*resolve_target(settings))


def load_model_for_flags(ctx: click.Context) -> Model | None:
    """Return the model whose arguments are to be flags; when a shell only completes, it may be none.

    Raise `ModelNotFound` or `ModelLoadError`.
    """
    settings: Settings = ctx.obj
    if not ctx.resilient_parsing:
        return load_model(settings)
    # The shell reads standard output.
    with contextlib.suppress(DeepaasError), contextlib.redirect_stdout(sys.stderr):
        return load_model(settings)
    return None


@contextlib.contextmanager
def user_code() -> Iterator[None]:
    """Run user code as the flags want it. Raise `CliError` for any exception in it.

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
        found = failure_from_exception(error)
        raise CliError(found.message, getattr(error, "detail", "") or found.traceback) from error
