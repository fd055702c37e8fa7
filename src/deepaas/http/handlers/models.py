"""Handlers of models: metadata, predictions, reload."""

import asyncio
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import hdrs, web
from multidict import MultiMapping

from deepaas.http.browser_security import PRIVATE_HEADERS
from deepaas.http.context import SERVICE, SETTINGS
from deepaas.http.errors import REQUEST_ID_HEADER, RESPONSE_STARTED, json_response
from deepaas.http.negotiation import choose_media_type, find_requested_type, prefers_events
from deepaas.http.request_body import collect_arguments, read_arguments
from deepaas.http.request_params import get_model, get_model_for_prediction
from deepaas.http.responses import read_file_chunk, send_stream
from deepaas.log import request_id
from deepaas.messages import Body
from deepaas.model.arguments import AcceptArgument, ArgumentSources
from deepaas.model.media_types import has_control_character, is_wildcard
from deepaas.scratch import ScratchFolder
from deepaas.service import NegotiatedFormat, ServedModel
from deepaas.thread_pools import USER_CODE_EXECUTOR, run_in_executor
from deepaas.workers.result_stream import ResultStream

_PREDICTION_CHUNK_BYTES = 1 << 20


async def list_models(request: web.Request) -> web.Response:
    """Answer with the metadata of every model."""
    served = request.app[SERVICE].models.values()
    return json_response(
        {"models": await asyncio.gather(*(_build_metadata(request, model) for model in served))}
    )


async def get_metadata(request: web.Request) -> web.Response:
    """Answer with the metadata of one model."""
    return json_response(await _build_metadata(request, get_model(request)))


async def predict(request: web.Request) -> web.StreamResponse:
    """Answer with a prediction."""
    served = get_model_for_prediction(request)
    async with request.app[SERVICE].create_scratch_folder() as scratch:
        given = await read_arguments(request, served.model.predict_arguments, scratch)
        body = await run_prediction(served, given, request.headers, scratch)
        return await to_response(request, body)


async def run_prediction(
    served_model: ServedModel, sources: ArgumentSources, headers: MultiMapping[str], scratch: ScratchFolder
) -> Body | ResultStream:
    """Return what the model predicts, in the media type that the request likes best."""
    arguments = served_model.model.predict_arguments
    raw = await collect_arguments(arguments, sources)
    is_asked = arguments.accept is not None and raw.get(arguments.accept.key) is not None
    accepted = ",".join(headers.getall(hdrs.ACCEPT, []))
    wanted = NegotiatedFormat(
        *_resolve_media_types(arguments.accept, raw, accepted), prefers_events(accepted)
    )
    if sources.raw_json:
        if arguments.accept and not is_asked:
            raw.pop(arguments.accept.key, None)  # the JSON may say it
        return await served_model.predict_raw_json(raw, sources.raw_json, wanted, scratch)
    return await served_model.predict(raw, wanted, scratch, size_bytes=sources.size_bytes)


def _resolve_media_types(
    accept: AcceptArgument | None, raw: dict[str, Any], accept_header: str
) -> tuple[str | None, str | None]:
    """Return the model's choice of a media type and, where it has a wildcard, the one that the client named.

    The choice is also the value of the argument `accept` in `raw`, unless the request has one.
    """
    if accept is None:
        return None, None
    if raw.get(accept.key) is None:
        chosen = choose_media_type(accept_header, accept.choices, accept.default)
        if chosen is None:
            return None, None
        raw[accept.key] = chosen
    media_type = raw[accept.key]
    if not isinstance(media_type, str) or "," in media_type:
        return None, None  # what validation refuses, or a header's list where there are no choices
    if (
        media_type != accept.default
        and media_type not in accept.choices
        and has_control_character(media_type)
    ):
        return None, None  # a text of the client's that is no media type
    return media_type, find_requested_type(accept_header, media_type) if is_wildcard(media_type) else None


async def reload_model(request: web.Request) -> web.Response:
    """Let new workers take over from the old ones, and answer when they have."""
    return json_response({"workers": await get_model(request).reload()})


async def _build_metadata(request: web.Request, served_model: ServedModel) -> dict[str, Any]:
    """Ask the author's code, which may read disks, outside the loop."""
    said = await run_in_executor(USER_CODE_EXECUTOR, served_model.model.read_metadata)
    href = f"{request.app[SETTINGS].base_path}/v2/models/{quote(served_model.name)}"
    return {"id": said["id"], "name": said["name"], "links": [{"rel": "self", "href": href}]} | said


async def to_response(request: web.BaseRequest, body: Body | ResultStream) -> web.StreamResponse:
    """Return the answer; a stream or a file is sent at once, before its scratch folder goes."""
    if isinstance(body, ResultStream):
        return await send_stream(request, body)
    headers = PRIVATE_HEADERS | {hdrs.CONTENT_TYPE: body.media_type}
    if body.filename:
        headers[hdrs.CONTENT_DISPOSITION] = f"attachment; filename*=UTF-8''{quote(body.filename, safe='')}"
    if not body.path:
        return web.Response(body=body.content, headers=headers)
    return await _send_file(request, Path(body.path), headers)


async def _send_file(request: web.BaseRequest, path: Path, headers: dict[str, str]) -> web.StreamResponse:
    """Send a file whole: no part of it, nor its age, means anything for what was just predicted."""
    with await asyncio.to_thread(path.open, "rb") as file:
        left = os.fstat(file.fileno()).st_size
        length = {hdrs.CONTENT_LENGTH: str(left)}
        response = web.StreamResponse(headers=headers | length | {REQUEST_ID_HEADER: request_id.get()})
        # A head that cannot be sent is an error that still can be answered.
        await response.prepare(request)
        request[RESPONSE_STARTED] = True
        while left:
            piece = await read_file_chunk(file, min(_PREDICTION_CHUNK_BYTES, left))
            left -= len(piece)
            await response.write(piece)
        await response.write_eof()
    return response
