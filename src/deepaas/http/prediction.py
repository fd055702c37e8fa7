"""Runs a prediction for an HTTP request: parses it, chooses the media type, calls the model.

The aiohttp handler and the fast path both call `run_prediction`, so both behave the same.
"""

from typing import Any

from aiohttp import hdrs

from deepaas.http.negotiation import choose_media_type, find_requested_type, prefers_events
from deepaas.http.request_body import ParsedRequest, collect_arguments, read_argument_sources
from deepaas.messages import Body
from deepaas.model.arguments import AcceptArgument
from deepaas.model.media_types import has_control_character, is_wildcard
from deepaas.scratch import ScratchFolder
from deepaas.service import NegotiatedFormat, ServedModel
from deepaas.workers.result_stream import ResultStream


async def run_prediction(
    served_model: ServedModel, parsed: ParsedRequest, scratch: ScratchFolder
) -> Body | ResultStream:
    """Return the prediction in the media type that the client prefers.

    Uploaded files are written to `scratch`. Raise the errors of `read_argument_sources` and
    `ServedModel.predict`.
    """
    described = served_model.described or await served_model.describe()
    arguments = described.predict_arguments
    sources = await read_argument_sources(parsed, arguments, scratch)
    raw = await collect_arguments(arguments, sources)
    has_accept = arguments.accept is not None and raw.get(arguments.accept.key) is not None
    accept_header = ",".join(parsed.headers.getall(hdrs.ACCEPT, []))
    wanted = NegotiatedFormat(
        *_resolve_media_types(arguments.accept, raw, accept_header), prefers_events(accept_header)
    )
    if sources.raw_json and arguments.accept and not has_accept:
        raw.pop(arguments.accept.key, None)  # the JSON body, which only the worker parses, may set it
    return await served_model.predict(
        raw, wanted, scratch, size_bytes=sources.size_bytes, raw_json=sources.raw_json
    )


def _resolve_media_types(
    accept: AcceptArgument | None, raw: dict[str, Any], accept_header: str
) -> tuple[str | None, str | None]:
    """Return the media type for the model and, if it is a wildcard, the concrete type that is requested.

    Store the negotiated media type in `raw`, unless the request has an argument `accept`.
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
        return None, None  # invalid, or an `Accept` header with a list for a model without choices
    if (
        media_type != accept.default
        and media_type not in accept.choices
        and has_control_character(media_type)
    ):
        return None, None  # sent by the client, and not a media type
    return media_type, find_requested_type(accept_header, media_type) if is_wildcard(media_type) else None
