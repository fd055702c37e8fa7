"""JSON of a training's record."""

import re

import pytest

from deepaas.trainings.record import TrainingRecord, TrainingState

WHEN = 1_700_000_000.5
RECORD = TrainingRecord(uuid="0" * 32, model="m", created=WHEN, arguments={"a": 1})
FOUR = {"running", "done", "error", "cancelled"}


@pytest.mark.parametrize("state", TrainingState)
def test_states(state: TrainingState) -> None:
    """The V2 API has four statuses; only `running` is not final."""
    assert state.status in FOUR
    assert state.is_final is (state.status != "running")


@pytest.mark.parametrize("state", [state for state in TrainingState if state is not TrainingState.DONE])
def test_shown(state: TrainingState) -> None:
    """An unfinished record has id, date, arguments and status, but no result."""
    shown = TrainingRecord(**(vars(RECORD) | {"state": state})).to_v2_json()
    assert shown["uuid"] == RECORD.uuid
    assert re.fullmatch(r"2023-11-1[45] \d\d:\d\d:\d\d\.500000", shown["date"])
    assert (shown["args"], shown["status"], shown["state"]) == ({"a": 1}, state.status, state.value)
    assert "result" not in shown
    assert "message" not in shown


@pytest.mark.parametrize(
    ("seconds", "duration"),
    [
        (0, "0:00:00.000000"),
        (61.25, "0:01:01.250000"),
        (36_000 + 59.5, "10:00:59.500000"),
        (-5, "0:00:00.000000"),
    ],
)
@pytest.mark.parametrize("started", [None, WHEN + 100])
def test_result(started: float | None, seconds: float, duration: str) -> None:
    """A result has the output, the finish date and the duration since the start."""
    finished = (started or WHEN) + seconds
    done = TrainingRecord(
        **(
            vars(RECORD)
            | {"state": TrainingState.DONE, "started": started, "finished": finished, "output": [1]}
        )
    )
    result = done.to_v2_json()["result"]
    assert (result["output"], result["duration"]) == ([1], duration)
    assert result["finish_date"].startswith("2023-11-1")


def test_date_without_fraction() -> None:
    """A date has six digits for microseconds, even if they are zero."""
    assert (
        TrainingRecord(**(vars(RECORD) | {"created": 1_700_000_000.0}))
        .to_v2_json()["date"]
        .endswith(".000000")
    )


def test_error() -> None:
    failed = TrainingRecord(
        **(vars(RECORD) | {"state": TrainingState.ERROR, "message": "why", "traceback": "where"})
    )
    shown = failed.to_v2_json()
    assert (shown["status"], shown["message"], shown["traceback"]) == ("error", "why", "where")


def test_end_without_folders() -> None:
    """Errors name files without their folders, and libraries by their import path."""
    trace = 'File "/etc/none/model.py", line 1\nFile "/usr/lib/python3/site-packages/torch/nn/f.py", line 2'
    end = {"exit": "/etc/none/weights.pt missing", "traceback": trace}
    shown = TrainingRecord(**(vars(RECORD) | {"state": TrainingState.ERROR} | end)).to_v2_json()
    assert shown["exit"] == "…/weights.pt missing"
    assert shown["traceback"] == 'File "…/model.py", line 1\nFile "…/torch/nn/f.py", line 2'
