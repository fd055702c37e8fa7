"""Builds the service from the settings: models, engine, pools, trainings."""

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from deepaas.config.settings import Settings
from deepaas.engines import create_engine
from deepaas.errors import ModelLoadError, ModelUnavailable, SettingsError
from deepaas.log import get_logger, traceback_extra
from deepaas.metrics import Metrics
from deepaas.model import loader
from deepaas.model.model import LoadedModel
from deepaas.scratch import ScratchRoot
from deepaas.service import ServedModel, Service
from deepaas.trainings.folder import resolve_state_folder
from deepaas.trainings.retention import RetentionPolicy
from deepaas.trainings.scheduler import SchedulerConfig, TrainingScheduler
from deepaas.trainings.store import TrainingStore, sqlite_url
from deepaas.workers.exclusive import ExclusiveAccess
from deepaas.workers.pool import Pool
from deepaas.workers.pool_config import build_pool_config, build_worker_config

_log = get_logger(__name__)


def build_service(
    settings: Settings,
    metrics: Metrics,
    force_stop: asyncio.Event,
    on_output: Callable[[bytes], None] | None = None,
) -> Service:
    """Load the models that the settings select, and build the service, without starting it.

    `on_output` receives the output of the workers. Once `force_stop` is set, trainings stop without grace.

    Raise `SettingsError`, `ModelNotFound`, or `ModelLoadError` if no model loads. Otherwise broken models are
    logged and not served.
    """
    engine = create_engine(settings)
    targets = loader.select_models(settings.model_name, settings.model)
    _log_renamed_model(settings)
    models = _load_models(targets)
    starts = {model.name: build_worker_config(model.name, targets[model.name], settings) for model in models}
    pools = {
        model.name: engine.create_pool(
            starts[model.name],
            build_pool_config(model, settings),
            metrics.create_pool_metrics(model.name),
            on_output,
        )
        for model in models
        if settings.predict_endpoint and model.implements("predict")
    }
    served: dict[str, ServedModel] = {}
    temporary = contextlib.ExitStack()
    folder = _resolve_state_folder(settings, temporary)
    config = _build_scheduler_config(settings, pools.values(), served, force_stop)
    store = TrainingStore(settings.database_url or sqlite_url(folder), settings.train_heartbeat_timeout)
    runner = TrainingScheduler(store, folder, config, engine.create_training_executor(store))
    for model in models:
        served[model.name] = ServedModel(model, starts[model.name], pools.get(model.name), runner)
    return Service(served.values(), runner, ScratchRoot(), engine, temporary)


def _log_renamed_model(settings: Settings) -> None:
    """Log that --model-name renames a model: the option may come from a forgotten config file."""
    name, target = settings.model_name, settings.model
    if name and target and name not in loader.select_models(target=target):
        _log.info("%s is served as %r (--model-name)", target, name)


def _load_models(targets: Mapping[str, str]) -> list[LoadedModel]:
    models = []
    problem = None
    for name, target in targets.items():
        try:
            models.append(LoadedModel.load(name, target).validate_declarations())
        except ModelLoadError as error:
            problem = error
            if len(targets) > 1:
                _log.error("Not serving model %r: %s", name, error, extra=traceback_extra(error.detail))
    if problem and not models:
        raise problem
    return models


def _resolve_state_folder(settings: Settings, temporary: contextlib.ExitStack) -> Path:
    """Return the state folder; a server that does not train needs none, so a temporary one replaces it."""
    try:
        return resolve_state_folder(settings.state_dir)
    except SettingsError:
        if settings.train_endpoint or settings.state_dir:
            raise
        return Path(temporary.enter_context(tempfile.TemporaryDirectory(prefix="deepaas-state-")))


def _build_scheduler_config(
    settings: Settings,
    pools: Iterable[Pool],
    served: Mapping[str, ServedModel],
    force_stop: asyncio.Event,
) -> SchedulerConfig:
    is_exclusive = settings.train_mode == "exclusive"

    async def reload(name: str) -> None:
        if settings.reload_after_train and not is_exclusive and name in served:
            try:
                await served[name].reload()
            except (ModelLoadError, ModelUnavailable) as error:
                trace = traceback_extra(error.detail)
                _log.warning("Could not reload model %r after its training: %s", name, error, extra=trace)

    return SchedulerConfig(
        max_concurrent=settings.max_trainings,
        cancel_grace_s=settings.cancel_grace,
        force_stop=force_stop,
        on_shutdown=settings.train_on_shutdown,
        retention=_parse_retention(settings.keep_trainings),
        run_context=ExclusiveAccess(pools).acquire if is_exclusive else contextlib.nullcontext,
        on_success=reload,
    )


def _parse_retention(text: str) -> RetentionPolicy:
    try:
        return RetentionPolicy.parse(text)
    except ValueError as error:
        raise SettingsError(f"Invalid value for --keep-trainings: {text!r}; expected {error}.") from error
