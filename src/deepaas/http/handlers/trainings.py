"""Handlers of trainings: start, list, describe, cancel; their logs, events, metrics and artifacts."""

import time
from collections.abc import Callable
from uuid import uuid4

from aiohttp import hdrs, web

from deepaas import reporting
from deepaas.http.context import EVENT_BROADCASTERS
from deepaas.http.error_responses import json_response
from deepaas.http.request_body import collect_arguments_and_json, parse_request, read_argument_sources
from deepaas.http.request_params import get_bool_query, get_int_query, get_model_for_training, get_training_id
from deepaas.http.responses import FileResponse, start_stream_response
from deepaas.model.json_encoding import dumps_in_steps, dumps_jsonable
from deepaas.scratch import UploadFolder
from deepaas.thread_pools import PARSING_EXECUTOR, READING_EXECUTOR, run_in_executor
from deepaas.trainings.events import EventOffset, TrainingEvent
from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.record import TrainingRecord
from deepaas.trainings.tail import Tail, find_last_lines
from deepaas.trainings.terminal_output import read_last_lines

_AFTER_METRICS = 1 << 62
_EVENT_STREAM_TYPE = "text/event-stream"
_LOG_TYPE = "text/plain; charset=utf-8"
_KEEP_ALIVE_S = 5.0
"""Proxies close connections that are idle for 30 to 60 s. The HTML standard recommends sending comments:
https://html.spec.whatwg.org/multipage/server-sent-events.html#authoring-notes"""
_CHUNK_BYTES = 1 << 18


async def get_log(request: web.Request) -> web.StreamResponse:
    """Return the output of a training, or its last `?tail=` lines; `?follow=true` streams new lines.

    With `tail` or `follow`, a redrawn progress bar appears only in its last state.
    """
    model, uuid = get_model_for_training(request), get_training_id(request)
    await model.get_training(uuid)
    folder = model.get_training_folder(uuid)
    lines = get_int_query(request, "tail")
    if get_bool_query(request, "follow"):
        position = EventOffset(_AFTER_METRICS, await _find_log_offset(folder, lines))
        return await _stream(request, position, _LOG_TYPE, _encode_log)
    if lines is not None:
        shown = await run_in_executor(READING_EXECUTOR, read_last_lines, folder.log, lines)
        text = "".join(f"{line}\n" for line in shown)
        return web.Response(text=text, content_type="text/plain")
    response = await start_stream_response(request, _LOG_TYPE)
    tail = Tail(folder.log)
    while chunk := await run_in_executor(READING_EXECUTOR, tail.read, _CHUNK_BYTES):
        tail.offset += len(chunk)
        await response.write(chunk)
    await response.write_eof()
    return response


async def list_metrics(request: web.Request) -> web.Response:
    """Return all metrics that a training reported, oldest first."""
    model, uuid = get_model_for_training(request), get_training_id(request)
    await model.get_training(uuid)
    history = await run_in_executor(READING_EXECUTOR, _encode_metrics, model.get_training_folder(uuid))
    return web.Response(body=history, content_type="application/json")


async def stream_events(request: web.Request) -> web.StreamResponse:
    """Stream a training's server-sent events, from `Last-Event-ID` on.

    Without that header, the client gets the complete log, or its last `?tail=` lines.
    """
    model, uuid = get_model_for_training(request), get_training_id(request)
    await model.get_training(uuid)
    lines = get_int_query(request, "tail")
    position = EventOffset.parse(request.headers.get("Last-Event-ID", ""))
    if position == EventOffset():
        position = EventOffset(log=await _find_log_offset(model.get_training_folder(uuid), lines))
    if position.is_end:
        # Only 204 stops the browser's `EventSource` from reconnecting.
        return web.Response(status=204)
    return await _stream(request, position, _EVENT_STREAM_TYPE, _encode_stream)


async def _find_log_offset(folder: TrainingFolder, lines: int | None) -> int:
    """Return where the last `lines` lines of the log begin, or 0."""
    return 0 if lines is None else await run_in_executor(READING_EXECUTOR, find_last_lines, folder.log, lines)


async def _stream(
    request: web.Request,
    position: EventOffset,
    content_type: str,
    encode: Callable[[list[TrainingEvent]], bytes],
) -> web.StreamResponse:
    """Stream a training's events until it finishes."""
    broadcaster = request.app[EVENT_BROADCASTERS][get_model_for_training(request).name]
    response = await start_stream_response(request, content_type)
    last_write_s = time.monotonic()
    async for events in broadcaster.subscribe(get_training_id(request), position):
        content = encode(events or [])
        is_idle = not content and time.monotonic() > last_write_s + _KEEP_ALIVE_S
        if is_idle and content_type == _EVENT_STREAM_TYPE:
            content = b": keep-alive\n\n"
        if content:
            await response.write(content)
            last_write_s = time.monotonic()
    await response.write_eof()
    return response


def _encode_stream(events: list[TrainingEvent]) -> bytes:
    return b"".join(event.encoded for event in events)


def _encode_log(events: list[TrainingEvent]) -> bytes:
    return "".join(f"{event.content['line']}\n" for event in events if event.kind == "log").encode()


async def list_artifacts(request: web.Request) -> web.Response:
    """Return the artifacts of a training; while it runs, its files so far, without checksums."""
    model, uuid = get_model_for_training(request), get_training_id(request)
    training = await model.get_training(uuid)
    if training.artifacts is not None:
        return json_response(training.artifacts)
    return json_response(
        await run_in_executor(READING_EXECUTOR, model.get_training_folder(uuid).list_artifacts, hashed=False)
    )


async def get_artifact(request: web.Request) -> FileResponse:
    """Return an artifact of a training, or a range of it."""
    model, uuid = get_model_for_training(request), get_training_id(request)
    await model.get_training(uuid)
    path = await run_in_executor(
        READING_EXECUTOR, model.get_training_folder(uuid).find_artifact, request.match_info["path"]
    )
    return FileResponse(path, headers={hdrs.CONTENT_DISPOSITION: "attachment"})


def _encode_metrics(folder: TrainingFolder) -> bytes:
    return dumps_jsonable(list(reporting.read_reports(Tail(folder.metrics).read_lines())))


async def start_training(request: web.Request) -> web.Response:
    """Start a training and return its record."""
    model = get_model_for_training(request)
    arguments = (await model.describe()).train_arguments
    training_id = uuid4().hex
    uploads = UploadFolder(str(model.get_training_folder(training_id).path))
    try:
        sources = await read_argument_sources(parse_request(request), arguments, uploads)
        raw = await collect_arguments_and_json(arguments, sources)
        training, job = await model.prepare_training(training_id, raw, size_bytes=sources.size_bytes)
    except BaseException:
        await uploads.delete()
        raise
    return await _create_records_response(await model.submit_training(training, job))


async def list_trainings(request: web.Request) -> web.Response:
    """Return the records of all trainings of a model, or of its `?limit=` newest ones, oldest first."""
    model = get_model_for_training(request)
    return await _create_records_response(await model.list_trainings(get_int_query(request, "limit")))


async def get_training(request: web.Request) -> web.Response:
    """Return the record of one training."""
    return await _create_records_response(
        await get_model_for_training(request).get_training(get_training_id(request))
    )


async def cancel_training(request: web.Request) -> web.Response:
    """Cancel a training and return its record; with `?purge=true`, delete it afterwards."""
    model = get_model_for_training(request)
    cancel = model.purge if get_bool_query(request, "purge") else model.cancel
    return await _create_records_response(await cancel(get_training_id(request)))


async def get_provenance(request: web.Request) -> web.Response:
    """Return the provenance of a training."""
    provenance = await get_model_for_training(request).get_provenance(get_training_id(request))
    return _create_json_response(await run_in_executor(PARSING_EXECUTOR, dumps_in_steps, provenance))


async def _create_records_response(trainings: TrainingRecord | list[TrainingRecord]) -> web.Response:
    """Encode records in a thread, because they may be many or large."""
    return _create_json_response(await run_in_executor(PARSING_EXECUTOR, _encode_records, trainings))


def _encode_records(trainings: TrainingRecord | list[TrainingRecord]) -> bytes:
    records = (
        [record.to_v2_json() for record in trainings]
        if isinstance(trainings, list)
        else trainings.to_v2_json()
    )
    return dumps_in_steps(records)


def _create_json_response(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")
