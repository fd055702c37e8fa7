"""Owns which model `deepaas-cli` is about. Must not know what is done with it."""

from deepaas.errors import ModelNotFound
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
