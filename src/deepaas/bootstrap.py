"""Builds the service from the settings: models, engine, pools, trainings."""

import asyncio
import contextlib
import functools
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from deepaas.config.settings import Settings
from deepaas.describer.describer import Describer, DescriberLifetime
from deepaas.engines import create_engine
from deepaas.errors import ModelUnavailable, SettingsError
from deepaas.log import get_logger, traceback_extra
from deepaas.messages import WorkerConfig
from deepaas.metrics import Metrics
from deepaas.model import loader
from deepaas.scratch import ScratchRoot
from deepaas.service import ServedModel, Service
from deepaas.trainings.folder import resolve_state_folder
from deepaas.trainings.retention import RetentionPolicy
from deepaas.trainings.scheduler import SchedulerConfig, TrainingScheduler
from deepaas.trainings.store import TrainingStore, sqlite_url
from deepaas.workers.exclusive import ExclusiveAccess
from deepaas.workers.local_process import LocalWorkerProcess
from deepaas.workers.pool import Pool
from deepaas.workers.pool_config import build_describer_config, build_pool_config, build_worker_config
from deepaas.workers.worker import WorkerRole

_VALIDATION_TIMEOUT_S = 30.0
_log = get_logger(__name__)


def build_service(
    settings: Settings,
    metrics: Metrics,
    force_stop: asyncio.Event,
    on_output: Callable[[bytes], None] | None = None,
) -> Service:
    """Find the models that the settings select, and build the service, without starting it.

    `on_output` receives the output of the workers. Once `force_stop` is set, trainings stop without grace.

    Raise `SettingsError` or `ModelNotFound`.
    """
    engine = create_engine(settings)
    targets = loader.select_models(settings.model_name, settings.model)
    _log_renamed_model(settings)
    configs = {name: build_worker_config(name, target, settings) for name, target in targets.items()}
    pools = {
        name: engine.create_pool(
            config, build_pool_config(settings), metrics.create_pool_metrics(name), on_output
        )
        for name, config in configs.items()
        if settings.predict_endpoint
    }
    served: dict[str, ServedModel] = {}
    temporary = contextlib.ExitStack()
    folder = _resolve_state_folder(settings, temporary)
    scheduler_config = _build_scheduler_config(settings, pools.values(), served, force_stop)
    store = TrainingStore(settings.database_url or sqlite_url(folder), settings.train_heartbeat_timeout)
    scheduler = TrainingScheduler(store, folder, scheduler_config, engine.create_training_executor(store))
    for name, config in configs.items():
        describer = _create_describer(config, settings, metrics, on_output)
        served[name] = ServedModel(config, describer, pools.get(name), scheduler)
    return Service(served.values(), scheduler, ScratchRoot(), engine, temporary)


def _create_describer(
    config: WorkerConfig,
    settings: Settings,
    metrics: Metrics,
    on_output: Callable[[bytes], None] | None,
) -> Describer:
    """Return a model's describer, which runs on this machine whatever the engine."""
    create_process = functools.partial(
        LocalWorkerProcess, module="deepaas.describer.child", uses_busy_polling=False
    )
    pool = Pool(
        config._replace(warm=False),
        build_describer_config(settings),
        metrics.create_describer_metrics(config.name),
        on_output,
        create_process,
        role=WorkerRole.DESCRIBER,
    )
    return Describer(
        config.name,
        pool,
        DescriberLifetime(settings.describer),
        metadata_timeout_s=settings.metadata_timeout,
        validation_timeout_s=settings.predict_timeout or _VALIDATION_TIMEOUT_S,
    )


def _log_renamed_model(settings: Settings) -> None:
    """Log that --model-name renames a model: the option may come from a forgotten config file."""
    name, target = settings.model_name, settings.model
    if name and target and name not in loader.select_models(target=target):
        _log.info("%s is served as %r (--model-name)", target, name)


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
            except ModelUnavailable as error:
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
