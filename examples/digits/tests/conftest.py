"""Fixtures: a network fitted once with default hyperparameters, and a separate model folder for each test."""

from collections.abc import Callable
from pathlib import Path

import pytest
from deepaas.model.v2.wrapper import UploadedFile
from PIL import Image

from digits import storage
from digits.fitting import Fit, fit
from digits.hyperparameters import Hyperparameters

Upload = Callable[[Image.Image], UploadedFile]


@pytest.fixture(scope="session")
def default_fit() -> Fit:
    return fit(Hyperparameters(), lambda epoch: None)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty model folder."""
    folder = tmp_path / "model"
    monkeypatch.setenv("DIGITS_MODEL_DIR", str(folder))
    return folder


@pytest.fixture
def model_file(empty_folder: Path, default_fit: Fit) -> Path:
    """The model file of a network with default hyperparameters."""
    storage.save(default_fit, storage.model_path())
    return storage.model_path()


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    """Returns a function that stores a picture as the server stores an upload."""

    def store(picture: Image.Image) -> UploadedFile:
        path = tmp_path / "upload.png"
        picture.save(path)
        return UploadedFile("image", str(path), "image/png", "digit.png")

    return store
