"""Handlers of the server itself: health, metrics, versions, debug log."""

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from deepaas.http.context import METRICS, RECENT_LOG, SERVICE, SETTINGS, STOP_EVENT
from deepaas.http.error_responses import json_response
from deepaas.http.request_params import get_model
from deepaas.model.failures import strip_folders
from deepaas.service import ServedModel
from deepaas.thread_pools import EXECUTORS


async def get_debug_output(request: web.Request) -> web.Response:
    """Return the recent output, or 204 if the endpoint is disabled."""
    if not request.app[SETTINGS].debug_endpoint:
        return web.Response(status=204)
    return web.Response(text=request.app[RECENT_LOG].read_text())


async def list_versions(request: web.Request) -> web.Response:
    """Return the API versions and links to the documentation."""
    settings = request.app[SETTINGS]
    links = [{"rel": "describedby", "type": "application/json", "href": f"{settings.base_path}/swagger.json"}]
    if settings.doc_endpoint:
        links.insert(0, {"rel": "help", "type": "text/html", "href": f"{settings.base_path}/api"})
    return json_response({"versions": [_build_version(settings.base_path)], "links": links})


async def get_version(request: web.Request) -> web.Response:
    """Return the API version."""
    return json_response(_build_version(request.app[SETTINGS].base_path))


def _build_version(base_path: str) -> dict[str, Any]:
    links = [{"rel": "self", "type": "application/json", "href": f"{base_path}/v2/"}]
    return {"version": "stable", "id": "v2", "links": links}


_SERVICE_UNAVAILABLE = 503


async def check_liveness(_: web.Request) -> web.Response:
    """Liveness probe: always 200."""
    return json_response({"live": True})


async def check_readiness(request: web.Request) -> web.Response:
    """Readiness probe: 503 with the reasons if the workers of a model are unavailable, else 200.

    A model without workers counts as ready: it only trains, or predictions are disabled.
    """
    return _create_readiness_response(request, request.app[SERVICE].models.values())


async def check_model_readiness(request: web.Request) -> web.Response:
    """Readiness probe of one model: 503 with the reason if its workers are unavailable, else 200."""
    return _create_readiness_response(request, [get_model(request)])


async def get_metrics(request: web.Request) -> web.Response:
    """Return the server's metrics in Prometheus format."""
    metrics = request.app[METRICS]
    metrics.trainings.clear()  # missing values are better than old ones if the database fails
    for executor in EXECUTORS:
        metrics.executor_queue_length.labels(executor.name).set(executor.queue_length)
    for model in request.app[SERVICE].models.values():
        await model.update_gauges(metrics)
    return web.Response(
        body=metrics.to_prometheus_text(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


def _create_readiness_response(request: web.Request, models: Iterable[ServedModel]) -> web.Response:
    """List the problems without folders of this machine; the log has the full messages."""
    problems = {
        model.name: strip_folders(problem) for model in models if (problem := model.unavailable_reason())
    }
    if request.app[STOP_EVENT].is_set():
        problems["server"] = "The server is stopping."
    if problems:
        return json_response({"ready": False, "problems": problems}, _SERVICE_UNAVAILABLE)
    return json_response({"ready": True})
