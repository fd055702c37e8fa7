"""The model file: found, missing, damaged, replaced, and written by several processes."""

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from digits import storage
from digits.fitting import Fit, fit
from digits.hyperparameters import Hyperparameters


@pytest.fixture(scope="module")
def other_fit() -> Fit:
    return fit(Hyperparameters(hidden=8, epochs=1, augment=0, printed=0), lambda epoch: None)


def test_folder_is_the_chosen_one_else_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variables are read at each call, because they may change after the import."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("DIGITS_MODEL_DIR", raising=False)
    assert storage.model_path() == tmp_path / "home/.cache/digits/digits.npz"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert storage.model_path() == tmp_path / "cache/digits/digits.npz"
    monkeypatch.setenv("DIGITS_MODEL_DIR", str(tmp_path / "chosen"))
    assert storage.model_path() == tmp_path / "chosen/digits.npz"


def test_file_gives_the_network_back(model_file: Path, default_fit: Fit) -> None:
    stored = storage.current()
    assert stored.network.activation == default_fit.network.activation
    for read, written in zip(stored.network.arrays(), default_fit.network.arrays(), strict=True):
        assert np.array_equal(read, written)


def test_file_is_read_once(model_file: Path) -> None:
    assert storage.current() is storage.current()


def test_replaced_file_is_for_the_next_process(model_file: Path, other_fit: Fit) -> None:
    before = storage.current()
    version = storage.save(other_fit, model_file)
    assert storage.current() is before
    code = "from digits import storage; print(storage.current().version)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == version != before.version


def test_each_save_has_a_version_of_its_own(empty_folder: Path, other_fit: Fit) -> None:
    first, second = (storage.save(other_fit, storage.model_path()) for _ in range(2))
    assert first != second


def test_saving_leaves_one_file(model_file: Path, other_fit: Fit) -> None:
    storage.save(other_fit, model_file)
    assert list(model_file.parent.iterdir()) == [model_file]


def test_failed_save_leaves_the_old_file(model_file: Path, other_fit: Fit, tmp_path: Path) -> None:
    in_the_way = tmp_path / "folder" / "digits.npz"
    (in_the_way / "full").mkdir(parents=True)
    with pytest.raises(OSError, match=r"digits\.npz"):
        storage.save(other_fit, in_the_way)
    assert list(in_the_way.parent.iterdir()) == [in_the_way]


def damage(whole: bytes) -> dict[str, bytes]:
    middle = len(whole) // 2
    return {
        "empty": b"",
        "text": b"not a model",
        "pickle": b"\x80\x04K\x01.",
        "cut": whole[:middle],
        "flipped": whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :],
    }


@pytest.mark.parametrize("kind", ["empty", "text", "pickle", "cut", "flipped"])
def test_damaged_file_is_told(model_file: Path, kind: str) -> None:
    model_file.write_bytes(damage(model_file.read_bytes())[kind])
    with pytest.raises(storage.UnusableFileError):
        storage.read(model_file)


def test_damaged_file_is_fitted_anew(model_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    model_file.write_bytes(b"not a model")
    fitted = storage.current()
    assert fitted.network.hidden_bias.shape == (Hyperparameters.hidden,)
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "can't be used" in warning.getMessage()
    assert storage.read(model_file).version == fitted.version


def test_file_of_another_format_is_fitted_anew(
    empty_folder: Path, other_fit: Fit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as future:
        future.setattr(storage, "FORMAT", 2)
        storage.save(other_fit, storage.model_path())
    assert storage.current().network.hidden_bias.shape == (Hyperparameters.hidden,)
    assert "it has format 2, this version of digits reads format 1" in caplog.text


def test_two_workers_may_warm_at_once(empty_folder: Path) -> None:
    """Without a file, one worker fits a network while the other waits; both serve the same one."""
    program = (
        "from digits import model, storage\n"
        "model.warm()\n"
        "print('warm', flush=True)\n"
        "input()\n"
        "print(storage.current().version)\n"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "warm\n"
    versions = [worker.communicate("\n")[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert set(versions) == {f"{storage.current().version}\n"}
    assert list(empty_folder.iterdir()) == [storage.model_path()]
