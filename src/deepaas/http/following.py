"""Trainings as they go: log, metrics, events, and the files they leave."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from aiohttp import hdrs, web

from deepaas import reporting
from deepaas.errors import StoreUnavailable, TrainingNotFound
from deepaas.http.errors import json_response
from deepaas.http.keys import STOPPING
from deepaas.http.named import count, flag, trainable, uuid_of
from deepaas.http.streaming import FileResponse, begin_answer
from deepaas.model.jsonable import dumps
from deepaas.service import ServedModel
from deepaas.trainings.events import Position, events
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.tail import Tail, read_last_lines
from deepaas.trainings.terminal import last_lines

_LOOK_S = 0.2
_KEEP_ALIVE_S = 5.0
"""Proxies cut connections on which nothing comes for 30 to 60 s; the comment is what the standard advises:
https://html.spec.whatwg.org/multipage/server-sent-events.html#authoring-notes"""
_CHUNK_BYTES = 1 << 18


async def log(request: web.Request) -> web.StreamResponse:
    """Answer with what a training printed: all, or `?tail=` lines; with `?follow=true` also what comes.

    Of a bar that was drawn again and again, the tail alone has the last state only.
    """
    model, uuid = trainable(request), uuid_of(request)
    await model.training(uuid)
    path = model.folder(uuid).log
    lines = count(request, "tail")
    is_followed = flag(request, "follow")
    if lines is not None and not is_followed:
        shown = await asyncio.to_thread(last_lines, path, lines)
        return web.Response(text="".join(f"{line}\n" for line in shown), content_type="text/plain")
    begin = b"" if lines is None else await asyncio.to_thread(read_last_lines, path, lines)
    size = path.stat().st_size if path.exists() else 0
    offset = 0 if lines is None else max(0, size - len(begin))
    response = await begin_answer(request, "text/plain; charset=utf-8")
    stopping = request.app[STOPPING]

    def is_over() -> bool:
        return stopping.is_set() or not is_followed

    async for chunk in _chunks(model, uuid, offset, is_over):
        await response.write(chunk)
    await response.write_eof()
    return response


async def metrics(request: web.Request) -> web.Response:
    """Answer with the history of a training's metrics, oldest first."""
    model, uuid = trainable(request), uuid_of(request)
    await model.training(uuid)
    return json_response(await asyncio.to_thread(_history, model.folder(uuid)))


async def follow(request: web.Request) -> web.StreamResponse:
    """Send what happens in a training as server-sent events, from where the client left off."""
    model, uuid = trainable(request), uuid_of(request)
    await model.training(uuid)
    position = Position.parse(request.headers.get("Last-Event-ID", ""))
    if position.is_end:
        # The one answer that keeps a browser from connecting again.
        return web.Response(status=204)
    response = await begin_answer(request, "text/event-stream")
    is_over = request.app[STOPPING].is_set
    written = time.monotonic()
    async for event in events(lambda: model.training(uuid), model.folder(uuid), position, is_over):
        if event:
            content = dumps(event.content).decode()
            await response.write(f"id: {event.id}\nevent: {event.kind}\ndata: {content}\n\n".encode())
        elif time.monotonic() > written + _KEEP_ALIVE_S:
            await response.write(b": keep-alive\n\n")
        else:
            continue
        written = time.monotonic()
    await response.write_eof()
    return response


async def list_artifacts(request: web.Request) -> web.Response:
    """Answer with the files that a training left; with those that are there, while it runs."""
    model, uuid = trainable(request), uuid_of(request)
    training = await model.training(uuid)
    if training.artifacts is not None:
        return json_response(training.artifacts)
    return json_response(await asyncio.to_thread(model.folder(uuid).listing, hashed=False))


async def artifact(request: web.Request) -> FileResponse:
    """Answer with a file that a training left, or a range of it."""
    model, uuid = trainable(request), uuid_of(request)
    await model.training(uuid)
    path = await asyncio.to_thread(model.folder(uuid).artifact, request.match_info["path"])
    return FileResponse(path, headers={hdrs.CONTENT_DISPOSITION: "attachment"})


async def _chunks(
    model: ServedModel, uuid: str, offset: int, is_over: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield the log from `offset` on, and what it gets until the training has ended, or `is_over`."""
    path = model.folder(uuid).log
    while True:
        try:
            is_end = (await model.training(uuid)).state.is_end
        except TrainingNotFound:
            return  # it was purged meanwhile
        except StoreUnavailable:
            is_end = False
        while chunk := await asyncio.to_thread(Tail(path, offset).read, _CHUNK_BYTES):
            offset += len(chunk)
            yield chunk
        if is_end or is_over():
            return
        await asyncio.sleep(_LOOK_S)


def _history(folder: TrainingFolder) -> list[object]:
    return list(reporting.read(Tail(folder.metrics).lines()))
