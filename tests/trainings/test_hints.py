"""Progress and metrics as they are read from the lines that well-known tools print."""

import pytest

from deepaas.trainings.hints import Hint, Hints

ONE_LINE = [
    # tqdm, in its forms
    ("  0%|          | 0/10 [00:00<?, ?it/s]", 0.0),
    (" 30%|███       | 3/10 [00:01<00:02,  3.00it/s]", 0.3),
    ("100%|██████████| 10/10 [00:03<00:00,  3.00it/s]", 1.0),
    ("train:  45%|####5     | 45/100 [00:10<00:12,  4.5it/s, loss=0.25]", 0.45),
    ("Downloading:  25%|██▌       | 25.0M/100M [00:01<00:03, 25.0MB/s]", 0.25),
    ("Downloading:  25%|██▌       | 500k/2.00M [00:01<00:03, 500kB/s]", 0.25),
    ("Map:   5%|▌         | 1.05k/21.0k [00:01<00:19, 1.05kexamples/s]", 0.05),
    ("\x1b[32m 50%|█████     | 5/10 [00:01<00:01,  5.00it/s]\x1b[0m", 0.5),
    # Keras 2 and 3
    ("  32/1875 [..............................] - ETA: 1:02 - loss: 2.3 - accuracy: 0.1", 32 / 1875),
    ("1875/1875 [==============================] - 5s 3ms/step - loss: 0.3 - accuracy: 0.9", 1.0),
    (
        "\x1b[1m 50/100\x1b[0m \x1b[32m━━━━━━━━━━\x1b[0m\x1b[37m━━━━━━━━━━\x1b[0m \x1b[1m1s\x1b[0m 20ms/step",
        0.5,
    ),
    # lines that people print themselves
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


@pytest.mark.parametrize(("line", "progress"), ONE_LINE)
def test_progress(line: str, progress: float) -> None:
    """A line that tells how far a training is gives its progress from 0 to 1."""
    hint = Hints().read(line)
    assert hint is not None
    assert hint.progress == pytest.approx(progress, abs=0.006)


@pytest.mark.parametrize("line", SILENT)
def test_nothing(line: str) -> None:
    """A line that says nothing of progress gives none."""
    hint = Hints().read(line)
    assert hint is None or hint.progress is None


def test_metrics() -> None:
    """A line that names an epoch and numbers gives these, without what is no metric."""
    hint = Hints().read("Epoch 3/10 - eta: 5s - loss: 0.25 - val_acc=9.5e-1 - time: 12 - lr: -1")
    assert hint == Hint(0.3, 3, {"loss": 0.25, "val_acc": 0.95, "lr": -1.0})


def test_keras() -> None:
    """Keras's bars of one epoch count as a part of all epochs."""
    hints = Hints()
    lines = [
        "Epoch 1/2",
        "  1/100 [..............................] - ETA: 10s - loss: 2.3",
        " 50/100 [==============>...............] - ETA: 5s - loss: 1.0",
        "100/100 [==============================] - 10s 1ms/step - loss: 0.5",
        "Epoch 2/2",
        " 50/100 [==============>...............] - ETA: 5s - loss: 0.4",
        "100/100 [==============================] - 10s 1ms/step - loss: 0.3",
    ]
    found = [hint.progress if (hint := hints.read(line)) else None for line in lines]
    assert found == [0.0, 0.005, 0.25, 0.5, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(
    "line", ["9" * 5000 + "/" + "9" * 5000 + " [", "epoch " * 5000, "%|" * 5000, "\x1b[" * 5000]
)
def test_hostile(line: str) -> None:
    """No line, however odd, takes long or fails."""
    Hints().read(line)
