"""Trainings as they go: log, metrics, events, and the files they leave."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import hdrs, web

from deepaas import reporting
from deepaas.http.errors import json_response
from deepaas.http.keys import EVENTS
from deepaas.http.named import count, flag, trainable, uuid_of
from deepaas.http.streaming import FileResponse, begin_answer
from deepaas.model.jsonable import dumps_plain
from deepaas.threads import READING, run_in
from deepaas.trainings.events import Event, Position
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.tail import Tail, find_last_lines
from deepaas.trainings.terminal import last_lines

_END = Position(1 << 62, 1 << 62)
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
        shown = await run_in(READING, last_lines, path, lines)
        text = "".join(f"{line}\n" for line in shown)
        return web.Response(text=text, content_type="text/plain")
    offset = 0 if lines is None else await asyncio.to_thread(find_last_lines, path, lines)
    response = await begin_answer(request, "text/plain; charset=utf-8")
    async for chunk in _chunks(path, offset):
        offset += len(chunk)
        await response.write(chunk)
    if is_followed:
        async for _ in request.app[EVENTS][model.name].follow(uuid, _END):
            async for chunk in _chunks(path, offset):
                offset += len(chunk)
                await response.write(chunk)
    await response.write_eof()
    return response


async def metrics(request: web.Request) -> web.Response:
    """Answer with the history of a training's metrics, oldest first."""
    model, uuid = trainable(request), uuid_of(request)
    await model.training(uuid)
    history = await run_in(READING, _history, model.folder(uuid))
    return web.Response(body=history, content_type="application/json")


async def follow(request: web.Request) -> web.StreamResponse:
    """Send what happens in a training as server-sent events, from where the client left off.

    A client that begins gets the whole log, or its last `?tail=` lines.
    """
    model, uuid = trainable(request), uuid_of(request)
    await model.training(uuid)
    lines = count(request, "tail")
    position = Position.parse(request.headers.get("Last-Event-ID", ""))
    if lines is not None and position == Position():
        begin = await asyncio.to_thread(find_last_lines, model.folder(uuid).log, lines)
        position = Position(log=begin)
    if position.is_end:
        # The one answer that keeps a browser from connecting again.
        return web.Response(status=204)
    response = await begin_answer(request, "text/event-stream")
    written = time.monotonic()
    async for content in request.app[EVENTS][model.name].follow(uuid, position):
        if content:
            await response.write(content)
        elif time.monotonic() > written + _KEEP_ALIVE_S:
            await response.write(b": keep-alive\n\n")
        else:
            continue
        written = time.monotonic()
    await response.write_eof()
    return response


def encode_event(event: Event) -> bytes:
    """Return an event as server-sent events have it."""
    return f"id: {event.id}\nevent: {event.kind}\ndata: {dumps_plain(event.content).decode()}\n\n".encode()


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


async def _chunks(path: Path, offset: int) -> AsyncIterator[bytes]:
    """Yield what a file has from `offset` on."""
    tail = Tail(path, offset)
    while chunk := await asyncio.to_thread(tail.read, _CHUNK_BYTES):
        tail.offset += len(chunk)
        yield chunk


def _history(folder: TrainingFolder) -> bytes:
    return dumps_plain(list(reporting.read(Tail(folder.metrics).lines())))
