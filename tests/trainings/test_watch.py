"""Monitoring a training: no output changes its outcome, takes long, or needs much memory."""

import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.monitor import TrainingMonitor
from deepaas.trainings.outcome import Outcome
from deepaas.trainings.record import TrainingState
from support.machine import processor_s

MOST_BYTES = 8 << 20
WINDOW_BYTES = 1 << 18
FRAGMENTS = [
    *(
        "epoch 1/",
        "Epoch 3/10",
        "step ",
        "Trial 1 finished with value: ",
        "[1] ",
        "a: ",
        "loss=",
        " 50%|",
        "| ",
    ),
    *(
        "1.2.3/4 [",
        "1/2 [",
        "1.5k/2M [",
        "━━━ ",
        "100% ━━━ ",
        "1/1 ",
        "1/4 2.1G ",
        "{'epoch': 1, ",
        "'loss': ",
    ),
    *(
        "'\\ud800': ",
        "1j",
        "(" * 300,
        "9" * 400,
        "1e999",
        "nan",
        "-inf",
        "1_0",
        "\u0661",
        "²",
        "\ud800",
        "\0",
        "}",
    ),
    *(" ", ",", "/", "\r", "\n", "\b", "\x1b[A", "\x1b[9999G", "\x1b[2K", "\x1b[J", "\x1b]0;", "\x1b"),
]
printed_texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=30).map("".join)


def watch(folder: TrainingFolder, printed: str) -> TrainingMonitor:
    """Return a monitor of a training that has printed a text."""
    folder.create()
    folder.log.write_bytes(printed.encode(errors="surrogatepass"))
    return TrainingMonitor(folder, lambda **_: None)


@given(printed_texts, printed_texts)
@example("{'epoch': 1, '\\ud800': 1}\n", "epoch 3/4\n")
@example("50%| | 1.2.3/4 [", "")
@example("epoch 1/" + "9" * 400, "")
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_outcome_stays(first: str, last: str) -> None:
    """Any output can be parsed, and the training's outcome is done."""
    with tempfile.TemporaryDirectory() as path:
        folder = TrainingFolder(Path(path))
        watched = watch(folder, first)
        watched.poll()
        with folder.log.open("ab") as log:
            log.write(last.encode(errors="surrogatepass"))
        watched.poll()
        values: dict[str, Any] = watched.finish()
        Outcome(TrainingState.DONE, values, {}).write(folder)
        assert Outcome.read(folder) == (TrainingState.DONE, values, {})
        assert 0 <= (values.get("progress") or 0) <= 1


@pytest.mark.parametrize(
    ("head", "part"),
    [("x" * 16_000, "\ry"), ("epoch 1/2 a=1 " * 36, "\ry"), ("a=1 " * 120, "\x1b[A"), ("", "\n")],
    ids=["long", "hints", "cursor", "empty"],
)
def test_rows_drawn_again(head: str, part: str, tmp_path: Path) -> None:
    """A long row that every second byte redraws needs little time."""
    watched = watch(TrainingFolder(tmp_path), head + part * (WINDOW_BYTES // len(part) - len(head)))
    began = time.process_time()
    watched.finish()
    assert time.process_time() - began < processor_s(5)


def test_rows_are_not_kept(tmp_path: Path) -> None:
    """Rows are processed one at a time, so memory stays small."""
    watched = watch(TrainingFolder(tmp_path), "x" * 16_000 + "\ry" * 5_000)
    tracemalloc.start()
    try:
        watched.finish()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < MOST_BYTES
