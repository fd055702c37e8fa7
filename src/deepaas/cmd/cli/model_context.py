"""Loads the model of the command line, and runs its code."""

import contextlib
import faulthandler
import multiprocessing
import sys
from collections.abc import Iterator

import click

from deepaas.child_setup import ForkGuard
from deepaas.cmd.cli.output import CliError
from deepaas.config.settings import Settings
from deepaas.errors import DeepaasError, ModelNotFound
from deepaas.model import loader
from deepaas.model.failures import failure_from_exception
from deepaas.model.model import LoadedModel


def resolve_target(settings: Settings) -> tuple[str, str]:
    """Return the name and target of the configured model, or of the only installed one.

    Raise `ModelNotFound`, listing the installed models, if there is none, or several and none is configured.
    """
    models = loader.select_models(settings.model_name, settings.model)
    if len(models) > 1:
        raise ModelNotFound(
            f"Several models are installed: {', '.join(models)}. "
            "Choose one with --model-name, or in the environment variable DEEPAAS_V2_MODEL."
        )
    return next(iter(models.items()))


def load_model(settings: Settings) -> LoadedModel:
    """Import the model; the command closes it at its end. Raise `ModelNotFound` or `ModelLoadError`."""
    with ForkGuard():
        model = LoadedModel.load(*resolve_target(settings))
    context = click.get_current_context(silent=True)  # none during shell completion
    if context:
        context.call_on_close(model.close)
    return model


def load_model_for_flags(ctx: click.Context) -> LoadedModel | None:
    """Return the model, or `None` if it cannot be loaded during shell completion.

    Raise `ModelNotFound` or `ModelLoadError`.
    """
    settings: Settings = ctx.obj
    if not ctx.resilient_parsing:
        return load_model(settings)
    # The shell reads the completions from standard output, so the model must not print there.
    with contextlib.suppress(DeepaasError), contextlib.redirect_stdout(sys.stderr):
        return load_model(settings)
    return None


@contextlib.contextmanager
def user_code() -> Iterator[None]:
    """Run user code with the configured start method of processes. Raise `CliError` for any exception in it.

    A copy of this process that the model forks exits at the end of the block.
    """
    faulthandler.enable(2)  # the descriptor, since user code may have replaced sys.stderr
    spawned = click.get_current_context().find_root().params.get("deepaas_with_multiprocessing")
    if spawned:
        multiprocessing.set_start_method("spawn", force=True)
    try:
        with ForkGuard():
            yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        failure = failure_from_exception(error)
        raise CliError(failure.message, getattr(error, "detail", "") or failure.traceback) from error
