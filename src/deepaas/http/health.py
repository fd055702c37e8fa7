"""Whether the server lives, and whether it could answer a prediction now."""

from aiohttp import web

from deepaas.http.errors import json_response
from deepaas.http.keys import METRICS, SERVICE, STOPPING
from deepaas.http.named import named

_UNAVAILABLE = 503


async def live(_: web.Request) -> web.Response:
    """Answer, which is all that takes."""
    return json_response({"live": True})


async def ready(request: web.Request) -> web.Response:
    """Answer 200 when every model could answer a prediction now, else 503 and why not."""
    problems = {model.name: model.problem() for model in request.app[SERVICE].models.values()}
    return _answer(request, {name: problem for name, problem in problems.items() if problem})


async def model_ready(request: web.Request) -> web.Response:
    """Answer 200 when the model could answer a prediction now, else 503 and why not."""
    model = named(request)
    problem = model.problem()
    return _answer(request, {model.name: problem} if problem else {})


async def metrics(request: web.Request) -> web.Response:
    """Answer with the server's figures, for Prometheus."""
    figures = request.app[METRICS]
    figures.trainings.clear()  # better none than old ones, when the store cannot be read
    for model in request.app[SERVICE].models.values():
        await model.measure(figures)
    return web.Response(
        body=figures.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    )


def _answer(request: web.Request, problems: dict[str, str]) -> web.Response:
    if request.app[STOPPING].is_set():
        problems = problems | {"server": "The server is stopping."}
    if problems:
        return json_response({"ready": False, "problems": problems}, _UNAVAILABLE)
    return json_response({"ready": True})
