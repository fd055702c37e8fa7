"""Trainings: start, list, look at, cancel."""

from aiohttp import web

from deepaas.http.named import flag, trainable, uuid_of
from deepaas.http.uploads import gather_all, read_given
from deepaas.model.jsonable import dumps_in_steps
from deepaas.threads import PARSING, run_in
from deepaas.trainings.training import Training


async def start(request: web.Request) -> web.Response:
    """Start a training and answer with its record."""
    model = trainable(request)
    arguments = model.model.train_arguments
    draft = model.draft_training()
    async with draft.scratch as scratch:
        given = await read_given(request, arguments, scratch)
        raw = await gather_all(arguments, given)
        training = await model.train(draft, raw, size_bytes=given.size_bytes)
    return await _response(training)


async def list_all(request: web.Request) -> web.Response:
    """Answer with the records of all trainings of a model."""
    return await _response(await trainable(request).trainings())


async def describe(request: web.Request) -> web.Response:
    """Answer with the record of one training."""
    return await _response(await trainable(request).training(uuid_of(request)))


async def cancel(request: web.Request) -> web.Response:
    """Cancel a training and answer with its record; with `?purge=true`, forget it afterwards."""
    model = trainable(request)
    end = model.purge if flag(request, "purge") else model.cancel
    return await _response(await end(uuid_of(request)))


async def provenance(request: web.Request) -> web.Response:
    """Answer with all that tells how a training came to be."""
    found = await trainable(request).provenance(uuid_of(request))
    return _json(await run_in(PARSING, dumps_in_steps, found))


async def _response(shown: Training | list[Training]) -> web.Response:
    """Return a response with records, which may be many or large."""
    return _json(await run_in(PARSING, _written, shown))


def _written(shown: Training | list[Training]) -> bytes:
    records = [one.as_v2() for one in shown] if isinstance(shown, list) else shown.as_v2()
    return dumps_in_steps(records)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
