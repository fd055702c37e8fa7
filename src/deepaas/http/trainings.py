"""Trainings: start, list, look at, cancel."""

from aiohttp import web

from deepaas.errors import NotServed
from deepaas.http.errors import json_response
from deepaas.http.keys import SETTINGS
from deepaas.http.models import named
from deepaas.http.uploads import read_given
from deepaas.service import ServedModel


async def start(request: web.Request) -> web.Response:
    """Start a training and answer with its record."""
    model = _trainable(request)
    arguments = model.model.train_arguments
    draft = model.draft_training()
    async with draft.scratch as scratch:
        given = await read_given(request, arguments, scratch, request.app[SETTINGS].client_max_size)
        training = await model.train(draft, arguments.gather(given))
    return json_response(training.as_v2())


async def list_all(request: web.Request) -> web.Response:
    """Answer with the records of all trainings of a model."""
    return json_response([training.as_v2() for training in await _trainable(request).trainings()])


async def describe(request: web.Request) -> web.Response:
    """Answer with the record of one training."""
    return json_response((await _trainable(request).training(request.match_info["uuid"])).as_v2())


async def cancel(request: web.Request) -> web.Response:
    """Cancel a training and answer with its record."""
    return json_response((await _trainable(request).cancel(request.match_info["uuid"])).as_v2())


def _trainable(request: web.Request) -> ServedModel:
    if not request.app[SETTINGS].train_endpoint:
        raise NotServed("This server trains no models: it was started with --notrain-endpoint.")
    return named(request)
