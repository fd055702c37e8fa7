"""Measures each hop of a small prediction in isolation: `python -m benchmarks.latency_breakdown`.

The figures are lower bounds: in a server, caches are colder, and the event loop and system calls add time.
"""

import timeit
from collections.abc import Callable
from typing import Any

from benchmarks.models import trivial
from deepaas.http.fast_path.request import BufferedRequest
from deepaas.http.request_body import ParsedRequest, read_argument_sources
from deepaas.messages import Call, Envelope, FrameDecoder, decode_plain, encode, encode_frame
from deepaas.model.arguments import Arguments
from deepaas.model.model import LoadedModel
from deepaas.scratch import UploadFolder
from deepaas.workers.call_executor import CallExecutor, StreamSender
from deepaas.workers.shared_progress import SharedProgress

_TIMES = 5_000
_REPEATS = 9
_MEMORY_BYTES = 1 << 26
_BODY = b'{"x": 1.5}'
_REQUEST = (
    b"POST /v2/models/trivial/predict/ HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nAccept: */*\r\n"
    b"User-Agent: benchmark\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
) % (len(_BODY), _BODY)


def least_us(work: Callable[[], Any]) -> float:
    """Return the shortest time of `work`, in microseconds."""
    return min(timeit.repeat(work, number=_TIMES, repeat=_REPEATS)) / _TIMES * 1e6


def read() -> BufferedRequest:
    """Parse the request."""
    request = BufferedRequest()
    request.feed(_REQUEST)
    assert request.is_eligible
    return request


def finished(work: Any) -> Any:
    """Run a coroutine that never waits, without an event loop."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("the coroutine waits")


def hops() -> dict[str, Callable[[], Any]]:
    """Return a function for each hop, in order."""
    request, scratch = read(), UploadFolder("/nowhere")
    arguments = Arguments(trivial.get_predict_args())

    def read_sources() -> Any:
        query, headers = request.url.query, request.headers
        parsed = ParsedRequest(query, headers, request.body, _MEMORY_BYTES)
        return finished(read_argument_sources(parsed, arguments, scratch))

    sources = read_sources()
    raw = arguments.collect(sources)
    call = Call("predict", arguments.validate(raw), True, None, "/nowhere", "-")  # noqa: FBT003
    sent = encode_frame(encode(call), 1)
    model = LoadedModel("trivial", trivial)
    marker, _ = SharedProgress.create()
    answering = CallExecutor(model, StreamSender(lambda *_: None, marker, None), Envelope.STRING)
    reply = answering.execute(call, 1)
    answered = memoryview(encode(reply))
    return {
        "1. parse the request": read,
        "2. read the argument sources": read_sources,
        "3. collect arguments": lambda: arguments.collect(sources),
        "3. validate arguments": lambda: arguments.validate(raw),
        "4. encode the call": lambda: encode_frame(encode(call), 1),
        "6. decode the call": lambda: list(FrameDecoder().feed(sent)),
        "7. call the model, render its result": lambda: answering.execute(call, 1),
        "6. encode the reply": lambda: encode_frame(encode(reply), 1),
        "6. decode the reply": lambda: decode_plain(answered),
    }


def main() -> None:
    """Print a Markdown table."""
    print("| hop | µs |\n|---|---|")
    for name, work in hops().items():
        print(f"| {name} | {least_us(work):.1f} |")


if __name__ == "__main__":
    main()
