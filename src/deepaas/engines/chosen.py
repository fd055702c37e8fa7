"""Which engine the settings name; the only place that knows which there are."""

from deepaas.engines.engine import Engine
from deepaas.engines.local import LocalEngine
from deepaas.errors import SettingsError
from deepaas.settings import Settings

_OF_RAY = ("ray_address", "gpus_per_worker", "cpus_per_worker", "train_gpus", "train_cpus")


def engine_of(settings: Settings) -> Engine:
    """Return the engine; what it needs is imported only now.

    SettingsError: it is not installed, or options of another engine are set.
    """
    if settings.engine == "local":
        _refuse_other_options(settings)
        return LocalEngine()
    try:
        from deepaas.engines.on_ray.engine import RayEngine  # noqa: PLC0415 - Ray is for those who choose it
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise SettingsError("--engine ray needs Ray: pip install 'deepaas[ray]'.") from error
    return RayEngine(settings)


def _refuse_other_options(settings: Settings) -> None:
    default = Settings()
    for name in _OF_RAY:
        if getattr(settings, name) != getattr(default, name):
            option = name.replace("_", "-")
            raise SettingsError(f"--{option} is for --engine ray: add that, or leave --{option} out.")
