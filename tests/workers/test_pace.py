"""How long calls take, as the pool reckons it from replies."""

import itertools
from typing import Any

import pytest

from deepaas.messages import Call, Envelope, Reply, decode, encode
from deepaas.model.model import Model
from deepaas.workers.answering import Answering
from deepaas.workers.marker import Marker
from deepaas.workers.pace import Pace
from deepaas.workers.sending import Sending

CALLS = 4


def replies(*faults: str) -> list[Reply]:
    """Return what the server reads of the replies to calls that were sent together."""
    marker, _ = Marker.create()
    sending = Sending(lambda *_: None, marker, None)
    answering = Answering(Model.load("batches", "models.batches"), sending, Envelope.STRING)

    def call(number: int, fault: str) -> Call:
        arguments: dict[str, Any] = {"number": number, "fault": fault}
        return Call("predict", arguments, True, None, "/nowhere", "-")  # noqa: FBT003

    calls = list(itertools.starmap(call, enumerate(faults)))
    made = answering.answer_together(calls, range(1, len(calls) + 1))
    return [decode(encode(reply)) for reply in made]


def paced(found: list[Reply]) -> Pace:
    """Return what comes of replies."""
    pace = Pace(CALLS)
    for reply in found:
        pace.note(reply)
    return pace


def test_together() -> None:
    """Calls that ran together share the time that they took."""
    found = replies(*["sleep 0.3"] * CALLS)
    assert {reply.together for reply in found} == {CALLS}
    assert paced(found).work_s(CALLS) == pytest.approx(found[0].model_s, rel=0.5)


def test_one_by_one_after_all() -> None:
    """Calls that were run one by one, because their batch failed, count in full."""
    found = replies("sleep 0.3", "sleep 0.3", "sleep 0.3", "raise")
    assert [reply.together for reply in found] == [1] * CALLS
    assert paced(found[:3]).work_s(CALLS) >= CALLS * 0.3


def test_depth() -> None:
    """Short calls stand behind each other in a pipe; long ones, and those that run together, do not."""

    def depth(most_together: int, model_s: float) -> int:
        pace = Pace(most_together)
        pace.note(Reply(replies("")[0].outcome, model_s, 0.0))
        return pace.depth

    assert Pace(1).depth == depth(1, 0.1) == depth(2, 0.0) == 1
    assert depth(1, 0.0) > depth(1, 0.0003) > 1
