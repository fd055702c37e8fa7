"""How long calls take, as the pool reckons it from replies."""

import itertools
from typing import Any

import pytest

from deepaas.messages import Call, Envelope, Reply, decode, encode
from deepaas.model.model import Model
from deepaas.workers.call_queue import ServiceTimeEstimate
from deepaas.workers.executor import CallExecutor, StreamSender
from deepaas.workers.shared_progress import SharedProgress

CALLS = 4


def replies(*faults: str) -> list[Reply]:
    """Return what the server reads of the replies to calls that were sent together."""
    marker, _ = SharedProgress.create()
    sending = StreamSender(lambda *_: None, marker, None)
    answering = CallExecutor(Model.load("batches", "models.batches"), sending, Envelope.STRING)

    def call(number: int, fault: str) -> Call:
        arguments: dict[str, Any] = {"number": number, "fault": fault}
        return Call("predict", arguments, True, None, "/nowhere", "-")  # noqa: FBT003

    calls = list(itertools.starmap(call, enumerate(faults)))
    made = answering.execute_batch(calls, range(1, len(calls) + 1))
    return [decode(encode(reply)) for reply in made]


def paced(found: list[Reply]) -> ServiceTimeEstimate:
    """Return what comes of replies."""
    pace = ServiceTimeEstimate(CALLS)
    for reply in found:
        pace.record(reply)
    return pace


def test_together() -> None:
    """Calls that ran together share the time that they took."""
    found = replies(*["sleep 0.3"] * CALLS)
    assert {reply.batch_size for reply in found} == {CALLS}
    assert paced(found).estimate_s(CALLS) == pytest.approx(found[0].model_s, rel=0.5)


def test_one_by_one_after_all() -> None:
    """Calls that were run one by one, because their batch failed, count in full."""
    found = replies("sleep 0.3", "sleep 0.3", "sleep 0.3", "raise")
    assert [reply.batch_size for reply in found] == [1] * CALLS
    assert paced(found[:3]).estimate_s(CALLS) >= CALLS * 0.3


def test_depth() -> None:
    """Short calls stand behind each other in a pipe; long ones, and those that run together, do not."""

    def depth(most_together: int, model_s: float) -> int:
        pace = ServiceTimeEstimate(most_together)
        pace.record(Reply(replies("")[0].outcome, model_s, 0.0))
        return pace.pipeline_depth

    assert ServiceTimeEstimate(1).pipeline_depth == depth(1, 0.1) == depth(2, 0.0) == 1
    assert depth(1, 0.0) > depth(1, 0.0003) > 1
