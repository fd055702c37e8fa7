"""What each hop of a small prediction costs by itself: `python -m benchmarks.hops` prints a Markdown table.

Hops are run alone and over and over, so the figures are the least that they cost: in a server, caches are
colder, and the loop and the system's calls come on top.
"""

import timeit
from collections.abc import Callable
from typing import Any

from benchmarks.models import trivial
from deepaas.http.fast_path.request import BufferedRequest
from deepaas.http.request_body import ParsedRequest, read_argument_sources
from deepaas.messages import Call, Envelope, FrameDecoder, decode_plain, encode, encode_frame
from deepaas.model.arguments import Arguments
from deepaas.model.model import Model
from deepaas.scratch import ScratchFolder
from deepaas.workers.executor import CallExecutor, StreamSender
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
    """Return the least time that `work` took, in microseconds."""
    return min(timeit.repeat(work, number=_TIMES, repeat=_REPEATS)) / _TIMES * 1e6


def read() -> BufferedRequest:
    """Read the request."""
    request = BufferedRequest()
    request.feed(_REQUEST)
    assert request.is_eligible
    return request


def finished(work: Any) -> Any:
    """Run a coroutine that waits for nothing, without a loop."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")


def hops() -> dict[str, Callable[[], Any]]:
    """Return what is done at each hop, in order."""
    request, scratch = read(), ScratchFolder("/nowhere")
    arguments = Arguments(trivial.get_predict_args())

    def given() -> Any:
        query, headers = request.url.query, request.headers
        parsed = ParsedRequest(query, headers, request.body, _MEMORY_BYTES)
        return finished(read_argument_sources(parsed, arguments, scratch))

    given_once = given()
    raw = arguments.collect(given_once)
    call = Call("predict", arguments.validate(raw), True, None, "/nowhere", "-")  # noqa: FBT003
    sent = encode_frame(encode(call), 1)
    model = Model("trivial", trivial)
    marker, _ = SharedProgress.create()
    answering = CallExecutor(model, StreamSender(lambda *_: None, marker, None), Envelope.STRING)
    reply = answering.execute(call, 1)
    answered = memoryview(encode(reply))
    return {
        "1. the request is read": read,
        "2. its body and query become what was given": given,
        "3. arguments are gathered": lambda: arguments.collect(given_once),
        "3. arguments are validated": lambda: arguments.validate(raw),
        "4. the call is encoded": lambda: encode_frame(encode(call), 1),
        "6. the worker decodes it": lambda: list(FrameDecoder().feed(sent)),
        "7. the model is called, its result rendered": lambda: answering.execute(call, 1),
        "6. the reply is encoded": lambda: encode_frame(encode(reply), 1),
        "6. the server decodes it": lambda: decode_plain(answered),
    }


def main() -> None:
    """Print the table."""
    print("| hop | µs |\n|---|---|")
    for name, work in hops().items():
        print(f"| {name} | {least_us(work):.1f} |")


if __name__ == "__main__":
    main()
