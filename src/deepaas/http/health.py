"""Whether the server lives, and whether it could answer a prediction now."""

from collections.abc import Iterable

from aiohttp import web

from deepaas.http.errors import json_response
from deepaas.http.keys import METRICS, SERVICE, STOPPING
from deepaas.http.named import named
from deepaas.model.failure import without_folders
from deepaas.service import ServedModel

_UNAVAILABLE = 503


async def live(_: web.Request) -> web.Response:
    """Answer, which is all that takes."""
    return json_response({"live": True})


async def ready(request: web.Request) -> web.Response:
    """Answer 200 when every model could answer a prediction now, else 503 and why not."""
    return _answer(request, request.app[SERVICE].models.values())


async def model_ready(request: web.Request) -> web.Response:
    """Answer 200 when the model could answer a prediction now, else 503 and why not."""
    return _answer(request, [named(request)])


async def metrics(request: web.Request) -> web.Response:
    """Answer with the server's figures, for Prometheus."""
    figures = request.app[METRICS]
    figures.trainings.clear()  # better none than old ones, when the store cannot be read
    for model in request.app[SERVICE].models.values():
        await model.measure(figures)
    return web.Response(
        body=figures.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    )


def _answer(request: web.Request, models: Iterable[ServedModel]) -> web.Response:
    """Answer with the problems of models, without folders of this machine: the log has them."""
    problems = {model.name: without_folders(problem) for model in models if (problem := model.problem())}
    if request.app[STOPPING].is_set():
        problems = problems | {"server": "The server is stopping."}
    if problems:
        return json_response({"ready": False, "problems": problems}, _UNAVAILABLE)
    return json_response({"ready": True})
