"""Owns which model `deepaas-cli` is about. Must not know what is done with it."""

import contextlib
import sys

import click

from deepaas.errors import DeepaasError, ModelNotFound
from deepaas.model import loading
from deepaas.model.model import Model
from deepaas.settings import Settings


def target_of(settings: Settings) -> tuple[str, str]:
    """Return the name and the target of the one model that the settings name, or that is installed.

    Raise `ModelNotFound`, listing what is installed, when there is none, or none of several was named.
    """
    found = loading.select(settings.model_name, settings.model)
    if len(found) > 1:
        raise ModelNotFound(
            f"Several models are installed: {', '.join(found)}. "
            "Choose one with --model-name, or in the environment variable DEEPAAS_V2_MODEL."
        )
    return next(iter(found.items()))


def chosen_model(settings: Settings) -> Model:
    """Import the model. Raise `ModelNotFound` or `ModelBroken`."""
    return Model.load(*target_of(settings))


def model_of(ctx: click.Context) -> Model | None:
    """Return the model whose arguments are to be flags; when a shell only completes, it may be none.

    Raise `ModelNotFound` or `ModelBroken`.
    """
    settings: Settings = ctx.obj
    if not ctx.resilient_parsing:
        return chosen_model(settings)
    # The shell reads standard output.
    with contextlib.suppress(DeepaasError), contextlib.redirect_stdout(sys.stderr):
        return chosen_model(settings)
    return None
