"""Putting a service together: what the settings name and ask for.

It must not know what is done with the service.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping

from deepaas import calling
from deepaas.engines.chosen import engine_of
from deepaas.engines.engine import Engine
from deepaas.errors import ModelBroken, ModelUnavailable, SettingsError
from deepaas.files import ScratchSpace
from deepaas.log import get_logger, with_trace
from deepaas.metrics import Metrics
from deepaas.model import loading
from deepaas.model.model import Model
from deepaas.service import ServedModel, Service
from deepaas.settings import Settings
from deepaas.trainings.folder import state_folder
from deepaas.trainings.keeping import Keeping
from deepaas.trainings.runner import Rules, Runner
from deepaas.trainings.store import Store, sqlite_url
from deepaas.workers.lane import ExclusiveLane
from deepaas.workers.pool import Pool

_log = get_logger(__name__)


def build_service(
    settings: Settings,
    metrics: Metrics,
    hurry: asyncio.Event,
    on_output: Callable[[bytes], None] | None = None,
) -> Service:
    """Load the models that `settings` name.

    `on_output` gets what their workers print. When `hurry` is set, trainings end without grace.

    Raise `ModelNotFound` or `ModelBroken`. One broken model among several is left out, with its traceback
    in the log.
    """
    engine = engine_of(settings)
    targets = loading.select(settings.model_name, settings.model)
    _tell_of_another_name(settings)
    models = _load_all(targets)
    starts = {model.name: calling.start_of(model.name, targets[model.name], settings) for model in models}
    pools = {
        model.name: engine.pool(
            starts[model.name], calling.limits_of(model, settings), metrics.of_pool(model.name), on_output
        )
        for model in models
        if settings.predict_endpoint and model.has("predict")
    }
    served: dict[str, ServedModel] = {}
    runner = _runner(settings, engine, pools.values(), served, hurry)
    for model in models:
        served[model.name] = ServedModel(model, starts[model.name], pools.get(model.name), runner)
    return Service(served.values(), runner, ScratchSpace(), engine)


def _tell_of_another_name(settings: Settings) -> None:
    """Log that a model without an entry point is renamed: the name may come from a file long forgotten."""
    name, target = settings.model_name, settings.model
    if name and target and name not in loading.select(target=target):
        _log.info("%s is served as %r, as --model-name says", target, name)


def _load_all(targets: Mapping[str, str]) -> list[Model]:
    models = []
    problem = None
    for name, target in targets.items():
        try:
            models.append(Model.load(name, target).checked())
        except ModelBroken as error:
            problem = error
            if len(targets) > 1:
                _log.error("The model %r is left out: %s", name, error, extra=with_trace(error.detail))
    if problem and not models:
        raise problem
    return models


def _runner(
    settings: Settings,
    engine: Engine,
    pools: Iterable[Pool],
    served: Mapping[str, ServedModel],
    hurry: asyncio.Event,
) -> Runner:
    folder = state_folder(settings.state_dir)
    is_exclusive = settings.train_lane == "exclusive"

    async def reload(name: str) -> None:
        if settings.reload_after_train and not is_exclusive and name in served:
            try:
                await served[name].reload()
            except (ModelBroken, ModelUnavailable) as error:
                _log.warning("The model %r is not reloaded after the training: %s", name, error)

    rules = Rules(
        at_a_time=settings.train_workers,
        cancel_grace_s=settings.cancel_grace,
        hurry=hurry,
        lost_after_s=settings.lost_after,
        on_stop=settings.on_stop,
        keeping=_keeping(settings.keep_trainings),
        while_training=ExclusiveLane(pools).taken if is_exclusive else contextlib.nullcontext,
        after_training=reload,
    )
    store = Store(settings.store or sqlite_url(folder))
    return Runner(store, folder, rules, engine.running(store))


def _keeping(text: str) -> Keeping:
    try:
        return Keeping.parse(text)
    except ValueError as error:
        raise SettingsError(f"--keep-trainings is {text!r}, expected {error}.") from error
