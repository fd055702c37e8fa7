"""Handlers of models: metadata, predictions, reload."""

import asyncio
from typing import Any
from urllib.parse import quote

from aiohttp import web

from deepaas.http.context import SERVICE, SETTINGS
from deepaas.http.error_responses import json_response
from deepaas.http.prediction import run_prediction
from deepaas.http.request_body import parse_request
from deepaas.http.request_params import get_model, get_model_for_prediction
from deepaas.http.responses import to_response
from deepaas.service import ServedModel


async def list_models(request: web.Request) -> web.Response:
    """Return the metadata of all models."""
    served = request.app[SERVICE].models.values()
    return json_response(
        {"models": await asyncio.gather(*(_build_metadata(request, model) for model in served))}
    )


async def get_metadata(request: web.Request) -> web.Response:
    """Return the metadata of one model."""
    return json_response(await _build_metadata(request, get_model(request)))


async def predict(request: web.Request) -> web.StreamResponse:
    """Run a prediction and return the result."""
    served = get_model_for_prediction(request)
    async with request.app[SERVICE].create_scratch_folder() as scratch:
        return await to_response(request, await run_prediction(served, parse_request(request), scratch))


async def reload_model(request: web.Request) -> web.Response:
    """Replace the workers, and respond when the new ones have taken over."""
    return json_response({"workers": await get_model(request).reload()})


async def _build_metadata(request: web.Request, served_model: ServedModel) -> dict[str, Any]:
    metadata = await served_model.read_metadata()
    href = f"{request.app[SETTINGS].base_path}/v2/models/{quote(served_model.name)}"
    links = [{"rel": "self", "href": href}]
    return {"id": metadata["id"], "name": metadata["name"], "links": links} | metadata
