"""Progress and metrics parsed from lines that well-known tools print."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepaas.trainings.progress_parser import ParsedMetrics, ProgressParser
from deepaas.trainings.terminal_output import Row, TerminalEmulator
from support.machine import processor_s

ONE_LINE = [
    # tqdm
    ("  0%|          | 0/10 [00:00<?, ?it/s]", 0.0),
    (" 30%|███       | 3/10 [00:01<00:02,  3.00it/s]", 0.3),
    ("100%|██████████| 10/10 [00:03<00:00,  3.00it/s]", 1.0),
    ("train:  45%|####5     | 45/100 [00:10<00:12,  4.5it/s, loss=0.25]", 0.45),
    ("tokens:   5%|▌         | 1.05k/21.0k [00:01<00:19, 1.05ktokens/s]", 0.05),
    ("\x1b[32m 50%|█████     | 5/10 [00:01<00:01,  5.00it/s]\x1b[0m", 0.5),
    # Keras 2 and 3
    ("  32/1875 [..............................] - ETA: 1:02 - loss: 2.3 - accuracy: 0.1", 32 / 1875),
    ("1875/1875 [==============================] - 5s 3ms/step - loss: 0.3 - accuracy: 0.9", 1.0),
    (
        "\x1b[1m 50/100\x1b[0m \x1b[32m━━━━━━━━━━\x1b[0m\x1b[37m━━━━━━━━━━\x1b[0m \x1b[1m1s\x1b[0m 20ms/step",
        0.5,
    ),
    # lines of users' own loops
    ("epoch 3/10", 0.2),
    ("Epoch 1/10", 0.0),
    ("Epoch [3/10], Step [100/400], Loss: 0.25", 0.225),
    ("Epoch: 3/10 - loss: 0.5", 0.3),
    ("EPOCH 10 of 10: val_loss=0.1", 1.0),
    ("epoch 00003/00010 train_loss=1e-3", 0.3),
    ("2026-01-02 10:00:00 INFO train: epoch 5/10", 0.4),
    ("Step 25/100", 0.25),
    ("Epoch 3/10:  50%|█████     | 8/16 [00:05<00:05,  1.60it/s]", 0.25),
]
SILENT = [
    # bars that do not measure a training, and bars of one epoch of an unknown number
    "Downloading:  25%|██▌       | 25.0M/100M [00:01<00:03, 25.0MB/s]",
    "model.safetensors:  25%|██▌       | 500k/2.00M [00:01<00:03, 500kB/s]",
    "Map:   5%|▌         | 1.05k/21.0k [00:01<00:19, 1.05kexamples/s]",
    "Writing model shards: 100%|██████████| 1/1 [00:00<00:00, 52.1it/s]",
    "Sanity Checking DataLoader 0: 100%|██████████| 2/2 [00:00<00:00, 52.1it/s]",
    "Validation DataLoader 0:  50%|█████     | 1/2 [00:00<00:00, 52.1it/s]",
    "Epoch 0:  31%|███▏      | 10/32 [00:01<00:02, 9.9it/s, v_num=0, train_loss=1.2]",
    "",
    "Loading 3/10 files is not a matter of epochs but of paths a/b",
    "10/12/2026 something happened",
    "3it [00:01,  3.00it/s]",
    "Epoch 3/0",
    "http://host/1/2",
    "accuracy: 0.5",
    "{'loss': 0.5, 'learning_rate': 1e-05, 'epoch': 1.0}",
    "[10]\ttrain-rmse:0.512\ttest-rmse:0.61",
    "Train Epoch: 3 [1280/60000 (2%)]\tLoss: 0.3",
    "0/0 [=====]",
]


class Reader:
    """Parses lines as a terminal shows them, one below the other."""

    def __init__(self) -> None:
        self.hints = ProgressParser()
        self.terminal = TerminalEmulator()

    def read(self, line: str) -> list[ParsedMetrics]:
        """Print a line and return the metrics that are complete after it."""
        return [metrics for row in self.terminal.feed(line + "\n") for metrics in self.hints.feed(row)]

    def finish(self) -> list[ParsedMetrics]:
        return self.hints.finish()

    @property
    def progress(self) -> float | None:
        return self.hints.progress


@pytest.mark.parametrize(("line", "progress"), ONE_LINE)
def test_progress(line: str, progress: float) -> None:
    reader = Reader()
    reader.read(line)
    assert reader.progress == pytest.approx(progress, abs=0.006)


@pytest.mark.parametrize("line", SILENT)
def test_nothing(line: str) -> None:
    reader = Reader()
    reader.read(line)
    assert reader.progress is None


def test_metrics() -> None:
    """Metrics are the numbers after an epoch, without times and other names that are not metrics."""
    reader = Reader()
    found = reader.read("Epoch 3/10 - eta: 5s - loss: 0.25 - val_acc=9.5e-1 - time: 12 - lr: -1")
    assert found == [ParsedMetrics(3, {"loss": 0.25, "val_acc": 0.95, "lr": -1.0})]
    assert reader.progress == 0.3


def test_keras() -> None:
    """Keras's bars count as fractions of an epoch."""
    lines = [
        "Epoch 1/2",
        "  1/100 [..............................] - ETA: 10s - loss: 2.3",
        " 50/100 [==============>...............] - ETA: 5s - loss: 1.0",
        "100/100 [==============================] - 10s 1ms/step - loss: 0.5",
        "Epoch 2/2",
        " 50/100 [==============>...............] - ETA: 5s - loss: 0.4",
        "100/100 [==============================] - 10s 1ms/step - loss: 0.3",
    ]
    assert read_progress(lines) == [0.0, 0.005, 0.25, 0.5, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(
    "line", ["9" * 5000 + "/" + "9" * 5000 + " [", "epoch " * 5000, "%|" * 5000, "\x1b[" * 5000]
)
def test_hostile(line: str) -> None:
    Reader().read(line)


FRAGMENTS = [
    *(
        "epoch ",
        "Epoch 1/",
        "step",
        "trial",
        "50%|",
        "| 1.2.3/4 [",
        "━━━",
        "1/1",
        "[",
        "{'epoch': ",
        "}",
        "loss: ",
    ),
    *(
        " ",
        ",",
        ":",
        ".",
        "/",
        "e",
        "nan",
        "-",
        "=",
        "9",
        "0",
        "9" * 400,
        "\r",
        "\n",
        "\x1b[A",
        "\x1b[2K",
        "\b",
    ),
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40))
def test_anything(fragments: list[str]) -> None:
    """Parsing never fails, and progress is None or from 0 to 1."""
    reader = Reader()
    reader.read("".join(fragments))
    reader.finish()
    assert reader.progress is None or 0 <= reader.progress <= 1


@pytest.mark.parametrize("part", ["9", "1,", " ", "━", "a ", "a=", "a: 1e", "[", "%|", "epoch ", "a.'/@-"])
def test_no_line_takes_long(part: str) -> None:
    """The time to parse a line does not grow with the square of its length."""
    line = part * (40_000 // len(part))
    begin = time.process_time()
    Reader().read(line)
    assert time.process_time() - begin < processor_s(0.1)


def read_progress(lines: list[str]) -> list[float | None]:
    """Return the progress after each line."""
    reader = Reader()
    found = []
    for line in lines:
        reader.read(line)
        found.append(None if reader.progress is None else round(reader.progress, 3))
    return found


def bar(done: int, total: int, label: str = "") -> str:
    """Return a tqdm bar."""
    return (
        f"{label and label + ': '}{100 * done // total:3}%|###       | {done}/{total} [00:01<00:02, 1.5it/s]"
    )


def nested(outer: int, inner: int, *labels: str) -> list[str]:
    """Return the bars of two nested loops."""
    return [
        line
        for step in range(outer)
        for line in [bar(step, outer, labels[0]), *(bar(n, inner, labels[1]) for n in range(inner + 1))]
    ] + [bar(outer, outer, labels[0])]


@pytest.mark.parametrize("labels", [("epochs", "batches"), ("", "batches"), ("epochs", ""), ("", "")])
def test_nested_bars(labels: tuple[str, str]) -> None:
    """The inner bar refines the outer one, and progress never decreases."""
    found = read_progress(nested(5, 4, *labels))
    assert found[:6] == [0, 0, 0.05, 0.1, 0.15, 0.2]
    assert found[-1] == 1
    assert found == sorted(found)  # type: ignore[type-var]  # there is no None


def test_bars_that_are_printed_when_they_are_full() -> None:
    """Without intermediate steps, the full inner bar finishes each epoch."""
    lines = [
        line for epoch in range(1, 4) for line in (f"Epoch {epoch}/3", "6/6 ━━━━━━━━ 0s 1ms/step - loss: 0.5")
    ]
    assert read_progress(lines) == [0, 0.333, 0.333, 0.667, 0.667, 1]


def test_three_bars_in_each_other() -> None:
    """Nested folds, epochs and batches give one progress."""
    lines = [bar(0, 2, "folds")]
    for fold in range(2):
        lines += [*nested(2, 2, "epochs", "batches"), bar(fold + 1, 2, "folds")]
    found = read_progress(lines)
    assert found[:6] == [0, 0, 0, 0.125, 0.25, 0.25]
    assert found == sorted(found)  # type: ignore[type-var]  # there is no None
    assert found[-1] == 1


def test_bar_that_is_removed_before_its_end() -> None:
    """An inner bar that tqdm did not draw to its end neither reduces nor withdraws the progress."""
    lines = [line for step in range(3) for line in (bar(step, 3, "a"), bar(1, 20, "b"), bar(19, 20, "b"))]
    lines.append(bar(3, 3, "a"))
    found = read_progress(lines)
    assert found == sorted(found)  # type: ignore[type-var]  # there is no None
    assert found[-2:] == [0.983, 1]


def test_inner_bars_of_other_names() -> None:
    """Bars for training and validation in each epoch do not reduce the progress."""
    lines = [
        line
        for step in range(2)
        for line in (bar(step, 2, "epochs"), bar(2, 4, "train"), bar(4, 4, "train"), bar(1, 2, "check"))
    ]
    assert read_progress(lines) == [0, 0.25, 0.5, 0.5, 0.5, 0.75, 1, 1]


def test_evaluation_within_a_training() -> None:
    """An evaluation's bar in the middle, as transformers draws it, hardly changes the progress."""
    lines = [bar(300, 1000), bar(1, 50), bar(40, 50), bar(50, 50), bar(370, 1000)]
    assert read_progress(lines) == [0.3, 0.3, 0.301, 0.301, 0.37]


def test_bars_side_by_side() -> None:
    lines = [bar(1, 10, "a"), bar(1, 5, "b"), bar(2, 10, "a"), bar(2, 5, "b"), bar(3, 10, "a")]
    assert read_progress(lines)[-2:] == [None, None]


def test_bars_one_after_the_other() -> None:
    """When another bar starts after the first has finished, the total is unknown."""
    assert read_progress([bar(5, 5, "prepare"), bar(1, 7, "train")]) == [1, None]
    assert read_progress([*nested(2, 2, "epochs", "batches"), bar(0, 2, "epochs")])[-1] is None
    assert read_progress(["Epoch 1/2", "Epoch 2/2", "Epoch 1/2"])[-1] is None


def test_keras_evaluating() -> None:
    """Keras's evaluation after the last epoch does not reduce the progress."""
    lines = ["Epoch 1/1", "20/20 ━━━━━━━━ 0s 1ms/step - loss: 0.5", " 1/10 ━━━━━━━━ 0s 1ms/step - loss: 0.6"]
    assert read_progress(lines) == [0, 1, 1]


METRICS = [
    (
        "Epoch 1/3, Train Loss: 0.9000, Val Loss: 1.0000, Accuracy: 91.00%",
        {"Train Loss": 0.9, "Val Loss": 1.0, "Accuracy": 91.0},
    ),
    ("Epoch 3/3, Train Loss: nan, Val Loss: inf", {"Train Loss": "nan", "Val Loss": "inf"}),
    ("Epoch 3/3 - cost: 1,234.5", {"cost": 1234.5}),
    ("Epoch 3/3 - cost: 0,25 - loss: 1", {"loss": 1.0}),
    ("Epoch 1/3 train/loss=0.5 val/loss=0.9", {"train/loss": 0.5, "val/loss": 0.9}),
    ("Epoch 1/3 Test-Loss: 0.2", {"Test-Loss": 0.2}),
    ("Epoch 1/3 | Train: Loss: 0.5 | Val: Loss: 0.7", {}),
    ("Epoch 1/3 loss: 0.5 acc@1: 91.5 top-5: 99", {"loss": 0.5, "acc@1": 91.5, "top-5": 99.0}),
    ("Epoch 1/3 - ETA: 0:00:05 - time: 12.5 - Elapsed Time: 3 - 12ms/step - loss: 1e-3", {"loss": 1e-3}),
    ("Iteration 12, loss = 0.69314718", {"loss": 0.69314718}),
    ("Train Epoch: 3 [1280/60000 (2%)]\tLoss: 0.3", {"Loss": 0.3}),
    ("[10]\ttrain-rmse:0.51200\ttest-rmse:0.61", {"train-rmse": 0.512, "test-rmse": 0.61}),
    ("[10]\ttraining's l2: 0.5\tvalid_1's l2: 0.6", {"training's l2": 0.5, "valid_1's l2": 0.6}),
    ("{'loss': 0.5, 'grad_norm': '1.5', 'epoch': 1.0}", {"loss": 0.5, "grad_norm": 1.5}),
    (
        "[I 2026-01-02 10:00:00,123] Trial 3 finished with value: 0.25 and parameters: {'x': 1.5}.",
        {"value": 0.25},
    ),
    ("{'loss': [1]}", {}),
    ("accuracy: 0.5", {}),
    ("{'unfinished", {}),
]


@pytest.mark.parametrize(("line", "metrics"), METRICS)
def test_metrics_by_their_full_names(line: str, metrics: dict[str, float | str]) -> None:
    """Metrics keep their full name and printed value; ambiguous ones are left out."""
    found = [one.values for one in Reader().read(line)]
    assert found == ([metrics] if metrics else [])


def test_metrics_of_a_line_without_its_end() -> None:
    """An incomplete line is parsed repeatedly; its metrics count once, when it is complete."""
    hints = ProgressParser()
    rows = [
        Row(0, text, is_complete=False, end=0)
        for text in ("Epoch 1/3, loss: 0.", "Epoch 1/3, loss: 0.5, acc: 1")
    ]
    assert [hints.feed(row) for row in [*rows, rows[1]]] == [[], [], []]
    assert hints.feed(rows[1]._replace(is_complete=True)) == [ParsedMetrics(1, {"loss": 0.5, "acc": 1.0})]
    assert (hints.feed(rows[1]), hints.finish()) == ([], [])


def test_metrics_of_a_line_that_is_overwritten() -> None:
    """If each epoch overwrites the line of the one before, the metrics of all epochs count."""
    hints, terminal = ProgressParser(), TerminalEmulator()
    found = []
    for epoch in range(1, 4):
        for row in terminal.feed(f"\rEpoch {epoch}/3 loss: {1 / epoch:.2f}"):
            found += hints.feed(row)
    found += [*hints.feed(terminal.open_row), *hints.finish()]
    assert found == [
        ParsedMetrics(1, {"loss": 1.0}),
        ParsedMetrics(2, {"loss": 0.5}),
        ParsedMetrics(3, {"loss": 0.33}),
    ]


def test_label_that_changes() -> None:
    """A bar with a changing label is the same bar while it stays in its row."""
    terminal, hints = TerminalEmulator(), ProgressParser()
    for done, name in enumerate(["", "cat.png", "dog.png", "bird at 1.5e-3", "end"]):
        for row in terminal.feed("\r" + bar(done, 4, name)):
            hints.feed(row)
    hints.feed(terminal.open_row)
    assert hints.progress == 1


def test_metrics_of_a_bar() -> None:
    """The metrics of Keras's bar count when it is full, for the bar's epoch."""
    reader = Reader()
    lines = [
        "Epoch 2/5",
        " 1/20 ━━━━━━━ 1s 50ms/step - loss: 2.3",
        "20/20 ━━━━━━━ 1s 50ms/step - loss: 0.5",
        "20/20 ━━━━━━━ 1s 50ms/step - loss: 0.5 - val_loss: 0.6",
    ]
    assert [reader.read(line) for line in lines] == [[], [], [], []]
    assert reader.read("Epoch 3/5") == [ParsedMetrics(2, {"loss": 0.5, "val_loss": 0.6})]
    assert reader.finish() == []


def test_metrics_of_the_last_bar() -> None:
    """The metrics of the last bar count when the training has finished."""
    reader = Reader()
    assert reader.read(bar(4, 4, "Epoch 1/1") + ", ") == []
    assert reader.finish() == []
    assert reader.read("Epoch 1/1: 100%|####| 4/4 [00:01<00:00, 4it/s, loss=0.5]stopped: steps=4") == []
    assert reader.finish() == [ParsedMetrics(1, {"loss": 0.5})]


def test_what_is_not_of_training_has_no_metrics() -> None:
    """A validation's bar has no metrics, and a bar's percentage is not a metric."""
    reader = Reader()
    assert reader.read("Validation: 100%|####| 4/4 [00:01<00:00, 4it/s, loss=0.5]") == []
    assert reader.read("epochs: 100%|####| 4/4 [00:01<00:00, 4it/s]") == []
    assert reader.finish() == []


@pytest.mark.parametrize(
    "line",
    [
        "{'cat'}",
        "{'a': 1, [2]: 3}",
        "{'lr': 0.1, 'batch_size': 32}",
        "5%|x| 1.2.3/4 [",
        "GET /epoch/3/10 200",
    ],
)
def test_what_only_looks_like_it(line: str) -> None:
    """Text that resembles metrics or a bar gives nothing and does not fail."""
    reader = Reader()
    assert (reader.read(line), reader.finish(), reader.progress) == ([], [], None)


def test_two_loops_over_epochs() -> None:
    """A second loop with another number of epochs is not nested in the first one."""
    assert read_progress(["Epoch 1/3", "Epoch 3/3", "Epoch 1/5", "Epoch 2/5"])[-2:] == [None, None]


def print_pieces(printed: str) -> tuple[list[float | None], list[ParsedMetrics]]:
    """Print piece by piece, as a training does; return the changes of the progress, and the metrics."""
    hints, terminal = ProgressParser(), TerminalEmulator()
    progress: list[float | None] = [None]
    metrics = []
    for piece in re.findall(r"[^\r\n]*[\r\n]?", printed):
        for row in [*terminal.feed(piece), terminal.open_row]:
            metrics += hints.feed(row)
            now = None if hints.progress is None else round(hints.progress, 2)
            if now != progress[-1]:
                progress.append(now)
    return progress[1:], metrics + hints.finish()


def test_lines_printed_behind_a_bar() -> None:
    """tqdm leaves the cursor after its bar; a line that is printed there is not part of the bar."""
    printed = "\r" + bar(0, 3)
    for epoch in range(1, 4):
        printed += f"Epoch {epoch}/3 loss: {epoch}.5\n\r{bar(epoch, 3)}"
    progress, metrics = print_pieces(printed + "\n")
    assert progress == [0, 0.33, 0.67, 1]
    assert metrics == [ParsedMetrics(epoch, {"loss": epoch + 0.5}) for epoch in range(1, 4)]


def test_label_of_the_bar_of_epochs() -> None:
    """A bar of epochs with the epoch in its label is one counter."""
    lines = [f"Epoch {max(1, done)}/3: {bar(done, 3)}" for done in range(4)]
    assert read_progress(lines) == [None, None, 0.667, 1]
    lines = [f"Epoch {number}/3: {bar(done, 3)}" for number in range(3) for done in (number, number + 1)]
    assert read_progress(lines) == [None, None, 0.333, 0.667, 0.667, 1]


@pytest.mark.parametrize("first", [0, 1])
def test_as_many_batches_as_epochs(first: int) -> None:
    """A bar of batches is distinguished from a bar of epochs, even with the same label and total."""
    lines = [f"Epoch {number}/4: {bar(done, 4)}" for number in range(first, first + 4) for done in range(5)]
    progress = read_progress(lines)
    right = [(number + done / 4) / 4 for number in range(4) for done in range(5)]
    ambiguous = 2 + first
    assert progress[:ambiguous] == [None] * ambiguous
    assert progress[ambiguous:] == pytest.approx(right[ambiguous:], abs=0.001)


@pytest.mark.parametrize(
    "lines",
    [
        ["Epoch 1, Batch 2/4, loss: 0.5", "Epoch 1, Batch 4/4, loss: 0.4"],
        ["Epoch 1", "Batch 2/4, loss: 0.5", "Batch 4/4, loss: 0.4"],
        ["Epoch 1", bar(1, 4), bar(4, 4)],
        ["--- Epoch: 1 ---", "2/4 ━━━━ 1s 1ms/step", "4/4 ━━━━ 1s 1ms/step"],
        ["Tokenizing: " + bar(4, 4), "Adding EOS: 50%|#####     | 2/4 [00:01<00:01,  2.00 examples/s]"],
    ],
)
def test_one_epoch_of_many(lines: list[str]) -> None:
    """Counters within an epoch of an unknown number, or before the training, give no progress."""
    assert read_progress(lines) == [None] * len(lines)


def test_metrics_of_a_batch() -> None:
    """A batch's metrics have the number of the epoch in its line."""
    reader = Reader()
    assert reader.read("Epoch 3, Batch 2/4, loss: 0.5") == [ParsedMetrics(3, {"loss": 0.5})]


@pytest.mark.parametrize("total", ["21.0k", "2.00M"])
def test_units_of_the_total(total: str) -> None:
    """A bar with a unit in its total only counts by its percentage."""
    lines = [f"{percent}%|##| {percent}/{total} [00:01<00:02, 9it/s]" for percent in (0, 1, 50)]
    assert read_progress(lines) == [0, 0.01, 0.5]


def test_evaluation_with_as_many_batches() -> None:
    """Keras's evaluation of the training data has as many batches as an epoch, but is none."""
    lines = ["Epoch 1/1", "5/5 ━━━━ 0s 1ms/step - loss: 0.5", "1/5 ━━━ 0s 1ms/step - loss: 9"]
    lines.append("5/5 ━━━━ 0s 1ms/step - loss: 9.5")
    reader = Reader()
    found = [metrics for line in lines for metrics in reader.read(line)]
    assert found + reader.finish() == [ParsedMetrics(1, {"loss": 0.5})]


def test_report_behind_a_bar_without_a_label() -> None:
    """A bar without a label does not belong to the epoch that was reported before it started."""
    reader = Reader()
    found = []
    for epoch in (1, 2):
        found += reader.read(f"100%|##| 4/4 [00:01<00:00, 4it/s, loss={epoch}.3]")
        found += reader.read(f"Epoch {epoch}/2: loss={epoch}.5")
    reports = [ParsedMetrics(epoch, {"loss": epoch + 0.5}) for epoch in (1, 2)]
    assert [one for one in found if one.epoch] == reports


def test_epoch_of_a_fold() -> None:
    """Metrics have the number of the epoch, not of the outer fold."""
    assert Reader().read("Fold 1/5 Epoch 3/10 - loss: 0.5") == [ParsedMetrics(3, {"loss": 0.5})]


@pytest.mark.parametrize(("label", "known"), [("Epoch [{}/3]", [0, 0.33, 0.67, 1]), ("Epoch {}", [0, None])])
def test_bar_that_gets_a_label(label: str, known: list[float | None]) -> None:
    """A bar of batches may get its label, with the epoch, after it was first drawn."""
    printed = ""
    for epoch in (1, 2, 3):
        printed += f"\r{bar(0, 2)}" + "".join(f"\r{bar(n, 2, label.format(epoch))}" for n in (0, 2)) + "\n"
    progress, _ = print_pieces(printed)
    assert progress == known


def test_bars_of_epochs_of_nobody_knows_how_many() -> None:
    """Progress stays unknown if another bar appears between the bars of epochs."""
    lines = [bar(1, 4, "Epoch 1"), bar(4, 4, "Epoch 1"), bar(1, 2, "dev"), bar(1, 2)]
    assert read_progress(lines) == [None] * 4


def test_equal_bars_in_each_other() -> None:
    """Progress is unknown if the inner bar looks like the outer one."""
    progress, _ = print_pieces(f"\r{bar(0, 4)}\n" + "".join(f"\r{bar(n, 4)}" for n in range(5)))
    assert progress == [0, None]


def test_bar_that_makes_room_for_a_line() -> None:
    """A bar that is redrawn below a line is the same bar."""
    printed = "".join(f"\r{bar(n, 4)}\r{40 * ' '}\rTrial {n} finished\n\r{bar(n, 4)}" for n in range(5))
    assert print_pieces(printed)[0] == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize("inside", ["[==   ] 2/5", ": 40%", "batch 2/5"])
def test_epoch_under_way(inside: str) -> None:
    """A line with the progress within an epoch does not report the epoch's end, even with metrics."""
    assert read_progress([f"Epoch 1/2 {inside} loss: 0.3"])[0] < 0.5  # type: ignore[operator]


def test_shorter_text_in_the_same_row() -> None:
    """The rest of a longer, older text after a shorter one is not parsed."""
    _, metrics = print_pieces("\rEpoch 9/10, loss: 10.25\rEpoch 10/10, loss: 1.5")
    assert metrics == [ParsedMetrics(9, {"loss": 10.25}), ParsedMetrics(10, {"loss": 1.5})]


def test_keras_with_a_line_an_epoch() -> None:
    """Keras with verbose=2 prints a line for each epoch but no bar."""
    line = "100/100 - 1s - 10ms/step - accuracy: 0.1 - loss: 0.5 - val_loss: 0.25"
    reader = Reader()
    found = [metrics for text in ("Epoch 1/2", line, "Epoch 2/2", line) for metrics in reader.read(text)]
    values = {"accuracy": 0.1, "loss": 0.5, "val_loss": 0.25}
    assert (reader.progress, found + reader.finish()) == (
        1,
        [ParsedMetrics(1, values), ParsedMetrics(2, values)],
    )


def test_epochs_counted_from_0() -> None:
    """If epochs start at 0, the report of epoch N - 1 of N finishes the training."""
    lines = [f"Epoch {epoch}/2, Batch {batch}/4, loss: 1" for epoch in range(2) for batch in (2, 4)]
    assert read_progress(lines) == [0.25, 0.5, 0.75, 1]
    assert read_progress([f"Epoch {epoch}/2 loss: 1" for epoch in range(2)]) == [0.5, 1]


def test_carriage_return_behind_each_line() -> None:
    """Lines that overwrite each other may also end with the carriage return."""
    _, metrics = print_pieces("Epoch 1/3 loss: 10.25\rEpoch 2/3 loss: 9.5\rEpoch 3/3 loss: 8.5\r\n")
    assert metrics == [
        ParsedMetrics(1, {"loss": 10.25}),
        ParsedMetrics(2, {"loss": 9.5}),
        ParsedMetrics(3, {"loss": 8.5}),
    ]


@pytest.mark.parametrize("more", ["correct: 91/100", "saved to runs/1/2", "2026/01/02"])
def test_report_with_a_slash(more: str) -> None:
    """Other text with a slash after the metrics does not change the report of an epoch's end."""
    assert read_progress([f"Epoch 3/3 - loss: 0.3 - {more}"]) == [1]


def test_bars_of_one_label() -> None:
    """Each bar of a loop without an outer bar gives its metrics."""
    reader = Reader()
    lines = [
        f"Training: {100 * done // 4}%|##| {done}/4 [00:01<00:00, 4it/s, loss={epoch}.5]"
        for epoch in range(3)
        for done in (0, 4)
    ]
    found = [one.values["loss"] for line in lines for one in reader.read(line)]
    assert found + [one.values["loss"] for one in reader.finish()] == [0.5, 1.5, 2.5]


def test_fit_again_and_again() -> None:
    """If a loop fits one epoch at a time, the total is unknown, but each fit gives its metrics."""
    reader = Reader()
    found = []
    progress = []
    for loss in (3, 2, 1):
        for line in ("Epoch 1/1", "2/4 ━━━━ 1s 1ms/step - loss: 9", f"4/4 ━━━━ 1s 1ms/step - loss: {loss}"):
            found += reader.read(line)
            progress.append(reader.progress)
    found += reader.finish()
    assert [one.values["loss"] for one in found] == [3, 2, 1]
    assert progress[3:] == [None] * 6
