"""Progress, remaining time and metrics from recorded output of well-known libraries.

Record with `tools/record-training-output`.
"""

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deepaas.trainings.folder import TrainingFolder
from deepaas.trainings.monitor import TrainingMonitor

FOLDER = Path(__file__).parent / "output"
LOOK_S = 0.5


class Look(NamedTuple):
    """The record of a training at a time, in seconds since its start."""

    time_s: float
    progress: float | None
    eta_s: float | None


class Replay(NamedTuple):
    """Result of monitoring a recorded training. `end_s` is the time of its last output, since its start."""

    end_s: float
    looks: list[Look]
    record: dict[str, Any]
    steps: list[int | None]


def replay(name: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> Replay:
    """Write the recorded output to a log with its original timing, and poll the monitor twice a second."""
    _, *lines = (FOLDER / f"{name}.cast").read_text().splitlines()
    pieces = [json.loads(line) for line in lines]
    end_s = pieces[-1][0]
    folder = TrainingFolder(path)
    record: dict[str, Any] = {}
    looks = []
    watch = TrainingMonitor(folder, lambda **values: record.update(values))
    with folder.log.open("w") as log:
        while not looks or looks[-1].time_s <= end_s:
            now_s = (len(looks) + 1) * LOOK_S
            while pieces and pieces[0][0] <= now_s:
                log.write(pieces.pop(0)[2])
            log.flush()
            monkeypatch.setattr(time, "time", lambda now_s=now_s: now_s)
            watch.poll()
            looks.append(Look(now_s, record.get("progress"), record.get("eta_s")))
    record |= watch.finish()
    reports = folder.metrics.read_text().splitlines() if folder.metrics.exists() else []
    return Replay(end_s, looks, record, [json.loads(report)["step"] for report in reports])


@pytest.mark.parametrize(
    ("name", "eta_error_s"),
    [
        ("keras_fit", 0.9),
        ("optuna_bar", 0.3),
        ("rich_terminal", 0.5),
        ("tqdm_fast", 0.9),
        ("tqdm_left", 0.9),
        ("tqdm_nested", 0.3),
        ("tqdm_one", 0.3),
        ("tqdm_print", 1.0),
        ("tqdm_resumed", 0.3),
        ("transformers_trainer", 0.5),
        ("ultralytics_yolo", 1.6),  # its evaluation after each epoch and at the end is not in the total
    ],
)
def test_progress_is_known(
    name: str, eta_error_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress is proportional to the elapsed time, and the estimated remaining time is accurate."""
    trained = replay(name, tmp_path, monkeypatch)
    known = [look for look in trained.looks if look.progress is not None]
    begin_s, begin = known[0].time_s, known[0].progress
    assert begin is not None
    for look in known:
        passed = min(1.0, (look.time_s - begin_s) / (trained.end_s - begin_s))
        assert look.progress == pytest.approx(begin + passed * (1 - begin), abs=0.1), look
    with_eta = [look for look in known if look.eta_s is not None]
    assert len(with_eta) >= len(known) - 1
    for look in with_eta:
        assert look.eta_s == pytest.approx(max(0.0, trained.end_s - look.time_s), abs=eta_error_s), look
    assert trained.looks[-1][1:] == (1.0, 0.0)


@pytest.mark.parametrize(
    "name",
    [
        *("lightgbm_train", "lightning_tqdm", "optuna_study", "sklearn_boosting", "sklearn_mlp"),
        *("sklearn_search", "xgboost_train"),
    ],
)
def test_progress_is_not_known(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the output does not show a total, there is no progress."""
    trained = replay(name, tmp_path, monkeypatch)
    assert {look[1:] for look in trained.looks} == {(None, None)}


@pytest.mark.parametrize(("name", "second_bar_s"), [("tqdm_parallel", 0.5), ("tqdm_sequence", 1.5)])
def test_progress_is_taken_back(
    name: str, second_bar_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a second bar shows that the first one was not the whole training, the progress is withdrawn."""
    trained = replay(name, tmp_path, monkeypatch)
    assert {look[1:] for look in trained.looks if look.time_s > second_bar_s} == {(None, None)}


@pytest.mark.parametrize("name", ["lightning_rich", "rich_track"])
def test_bar_that_is_drawn_at_the_end(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal, rich draws its bars once, when they are full."""
    trained = replay(name, tmp_path, monkeypatch)
    assert {look[1:] for look in trained.looks[:-1]} == {(None, None)}
    assert trained.looks[-1][1:] == (1.0, 0.0)


METRICS: list[tuple[str, list[int | None], dict[str, float]]] = [
    (
        "keras_fit",
        [1, 2, 3, 4],
        {"loss": 0.0574, "mae": 0.2113, "val_loss": 0.0366, "val_mae": 0.1579},
    ),
    ("lightgbm_train", [*range(1, 21)], {"training's l2": 0.0334535, "test's l2": 4.11498}),
    ("lightning_rich", [3], {"train_loss": 0.118}),
    ("lightning_tqdm", [0, 1, 2, 3], {"train_loss": 0.0599, "val_loss": 0.0525}),
    ("optuna_bar", [*range(30), None], {"value": 0.0023627274381014746, "Best value": 0.00181921}),
    ("optuna_study", [*range(20)], {"value": 0.17283940460279343}),
    ("rich_terminal", [], {}),
    ("rich_track", [], {}),
    ("sklearn_boosting", [], {}),
    ("sklearn_mlp", [*range(1, 21)], {"loss": 0.20612515}),
    ("sklearn_search", [], {}),
    ("tqdm_fast", [], {}),
    ("tqdm_left", [], {}),
    ("tqdm_nested", [1, 2, 3, 4], {"loss": 0.025}),
    ("tqdm_one", [], {}),
    ("tqdm_parallel", [], {}),
    ("tqdm_print", [*range(1, 21)], {"loss": 0.05}),
    ("tqdm_resumed", [], {}),
    ("tqdm_sequence", [], {}),
    (
        "transformers_trainer",
        [None] * 13,
        {
            "loss": 0.693,
            "grad_norm": 0.3575,
            "learning_rate": 1.25e-06,
            "eval_loss": 0.693,
            "eval_runtime": 0.0107,
            "eval_samples_per_second": 7448.0,
            "eval_steps_per_second": 931.0,
            "train_runtime": 4.521,
            "train_samples_per_second": 70.78,
            "train_steps_per_second": 8.847,
            "train_loss": 0.6931,
        },
    ),
    ("ultralytics_yolo", [], {}),
    ("xgboost_train", [*range(20)], {"train-rmse": 0.01013, "test-rmse": 0.01013}),
]


@pytest.mark.parametrize(("name", "steps", "last"), METRICS)
def test_metrics(
    name: str,
    steps: list[int | None],
    last: dict[str, float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Metrics count once for each epoch, round or trial; a final evaluation does not change them."""
    trained = replay(name, tmp_path, monkeypatch)
    assert (trained.steps, trained.record.get("metrics", {})) == (steps, last)


def test_every_recording_is_tested() -> None:
    """Each recording has its program in `programs`, and expected metrics in this file."""
    recordings = {path.stem for path in FOLDER.glob("*.cast")}
    assert recordings == {path.stem for path in (FOLDER / "programs").glob("[!_]*.py")}
    assert recordings == {name for name, *_ in METRICS}
