"""Models: what they say of themselves, and their predictions."""

import asyncio
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import hdrs, web
from multidict import MultiMapping

from deepaas.files import Scratch
from deepaas.http.browsers import PRIVATE_HEADERS
from deepaas.http.errors import REQUEST_ID, STREAMING, json_response
from deepaas.http.keys import SERVICE, SETTINGS
from deepaas.http.named import named, predictable
from deepaas.http.negotiation import choose, concrete_type, prefers_events
from deepaas.http.streaming import read_piece, send_stream
from deepaas.http.uploads import gather, read_given
from deepaas.log import request_id
from deepaas.messages import Body
from deepaas.model.arguments import Accept, Given
from deepaas.model.media_types import has_control_character, is_wildcard
from deepaas.service import ServedModel, Wanted
from deepaas.threads import USER_CODE, run_in
from deepaas.workers.stream import Stream

_SENT_BYTES = 1 << 20


async def describe_all(request: web.Request) -> web.Response:
    """Answer with the metadata of every model."""
    served = request.app[SERVICE].models.values()
    return json_response({"models": await asyncio.gather(*(_describe(request, model) for model in served))})


async def describe(request: web.Request) -> web.Response:
    """Answer with the metadata of one model."""
    return json_response(await _describe(request, named(request)))


async def predict(request: web.Request) -> web.StreamResponse:
    """Answer with a prediction."""
    served = predictable(request)
    async with request.app[SERVICE].scratch() as scratch:
        given = await read_given(request, served.model.predict_arguments, scratch)
        body = await prediction(served, given, request.headers, scratch)
        return await send(request, body)


async def prediction(
    served: ServedModel, given: Given, headers: MultiMapping[str], scratch: Scratch
) -> Body | Stream:
    """Return what the model predicts, in the media type that the request likes best."""
    arguments = served.model.predict_arguments
    raw = await gather(arguments, given)
    is_asked = arguments.accept is not None and raw.get(arguments.accept.key) is not None
    accepted = ",".join(headers.getall(hdrs.ACCEPT, []))
    wanted = Wanted(*_media_types(arguments.accept, raw, accepted), prefers_events(accepted))
    if given.unread_json:
        if arguments.accept and not is_asked:
            raw.pop(arguments.accept.key, None)  # the JSON may say it
        return await served.predict_unread(raw, given.unread_json, wanted, scratch)
    return await served.predict(raw, wanted, scratch, size_bytes=given.size_bytes)


def _media_types(accept: Accept | None, raw: dict[str, Any], accepted: str) -> tuple[str | None, str | None]:
    """Return the model's choice of a media type and, where it has a wildcard, the one that the client named.

    The choice is also the value of the argument `accept` in `raw`, unless the request has one.
    """
    if accept is None:
        return None, None
    if raw.get(accept.key) is None:
        chosen = choose(accepted, accept.choices, accept.default)
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
    return media_type, concrete_type(accepted, media_type) if is_wildcard(media_type) else None


async def reload(request: web.Request) -> web.Response:
    """Let new workers take over from the old ones, and answer when they have."""
    return json_response({"workers": await named(request).reload()})


async def _describe(request: web.Request, served: ServedModel) -> dict[str, Any]:
    """Ask the author's code, which may read disks, outside the loop."""
    said = await run_in(USER_CODE, served.model.metadata)
    href = f"{request.app[SETTINGS].base_path}/v2/models/{quote(served.name)}"
    return {"id": said["id"], "name": said["name"], "links": [{"rel": "self", "href": href}]} | said


async def send(request: web.BaseRequest, body: Body | Stream) -> web.StreamResponse:
    """Return the answer; a stream or a file is sent at once, before its scratch folder goes."""
    if isinstance(body, Stream):
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
        response = web.StreamResponse(headers=headers | length | {REQUEST_ID: request_id.get()})
        # A head that cannot be sent is an error that still can be answered.
        await response.prepare(request)
        request[STREAMING] = True
        while left:
            piece = await read_piece(file, min(_SENT_BYTES, left))
            left -= len(piece)
            await response.write(piece)
        await response.write_eof()
    return response
