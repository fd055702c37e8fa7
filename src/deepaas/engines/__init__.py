"""Engines run workers and trainings, locally or on a cluster; this selects the configured one."""

from deepaas.config.settings import Settings
from deepaas.engines.interface import Engine
from deepaas.engines.local import LocalEngine
from deepaas.errors import SettingsError

_RAY_OPTIONS = ("ray_address", "worker_gpus", "worker_cpus", "train_gpus", "train_cpus")


def create_engine(settings: Settings) -> Engine:
    """Return the configured engine; Ray is imported only if it is selected.

    Raise `SettingsError` when it is not installed, or options of another engine are set.
    """
    if settings.engine == "local":
        _reject_unused_options(settings)
        return LocalEngine()
    try:
        from deepaas.engines.ray.engine import RayEngine  # noqa: PLC0415 - Ray is optional
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise SettingsError("--engine ray needs Ray: pip install 'deepaas[ray]'.") from error
    return RayEngine(settings)


def _reject_unused_options(settings: Settings) -> None:
    default = Settings()
    for name in _RAY_OPTIONS:
        if getattr(settings, name) != getattr(default, name):
            option = name.replace("_", "-")
            raise SettingsError(f"--{option} is for --engine ray: add that, or leave --{option} out.")
