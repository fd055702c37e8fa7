"""The pool's estimate of service time."""

import itertools
from typing import Any

import pytest

from deepaas.messages import Call, Envelope, Reply, decode_plain, encode
from deepaas.model.model import LoadedModel
from deepaas.workers.call_executor import CallExecutor, StreamSender
from deepaas.workers.call_queue import ServiceTimeEstimate
from deepaas.workers.shared_progress import SharedProgress

CALLS = 4


def replies(*faults: str) -> list[Reply]:
    """Return the replies to calls that were sent in one batch, as the server decodes them."""
    marker, _ = SharedProgress.create()
    sending = StreamSender(lambda *_: None, marker, None)
    answering = CallExecutor(LoadedModel.load("batches", "models.batches"), sending, Envelope.STRING)

    def call(number: int, fault: str) -> Call:
        arguments: dict[str, Any] = {"number": number, "fault": fault}
        return Call("predict", arguments, True, None, "/nowhere", "-")  # noqa: FBT003

    calls = list(itertools.starmap(call, enumerate(faults)))
    made = answering.execute_batch(calls, range(1, len(calls) + 1))
    return [decode_plain(memoryview(encode(reply))) for reply in made]


def paced(found: list[Reply]) -> ServiceTimeEstimate:
    """Return the estimate after these replies."""
    pace = ServiceTimeEstimate(CALLS)
    for reply in found:
        pace.record(reply)
    return pace


def test_batch_shares_its_duration() -> None:
    """Calls of a batch share its duration."""
    found = replies(*["sleep 0.3"] * CALLS)
    assert {reply.batch_size for reply in found} == {CALLS}
    assert paced(found).estimate_s(CALLS) == pytest.approx(found[0].model_s, rel=0.5)


def test_calls_of_a_failed_batch_count_in_full() -> None:
    """Calls that ran individually because their batch failed count in full."""
    found = replies("sleep 0.3", "sleep 0.3", "sleep 0.3", "raise")
    assert [reply.batch_size for reply in found] == [1] * CALLS
    assert paced(found[:3]).estimate_s(CALLS) >= CALLS * 0.3


def test_depth() -> None:
    """Short calls are pipelined; long calls and batches are not."""

    def depth(most_together: int, model_s: float) -> int:
        pace = ServiceTimeEstimate(most_together)
        pace.record(Reply(replies("")[0].outcome, model_s, 0.0))
        return pace.pipeline_depth

    assert ServiceTimeEstimate(1).pipeline_depth == depth(1, 0.1) == depth(2, 0.0) == 1
    assert depth(1, 0.0) > depth(1, 0.0003) > 1
