"""The model file: its path and format, and the network that is currently in use.

Several processes may read and write it at the same time: it is only ever replaced as a whole.
"""

import contextlib
import fcntl
import io
import logging
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from digits.fitting import Epoch, Fit, fit
from digits.hyperparameters import Hyperparameters
from digits.network import Network

log = logging.getLogger(__name__)

# Increase it when the layout of the file changes.
FORMAT = 1


class UnusableFileError(ValueError):
    """The model file is damaged, or written by another version of this package."""


@dataclass(frozen=True)
class Stored:
    """A network and the version of the file it comes from: the first 12 digits of the file's SHA-256."""

    network: Network
    version: str


def model_path() -> Path:
    """Return the model file's path, in ``$DIGITS_MODEL_DIR`` or else the user's cache folder."""
    chosen = os.environ.get("DIGITS_MODEL_DIR")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen or Path(cache) / "digits") / "digits.npz"


def current() -> Stored:
    """Return the network in the model file; fit one first if there is none, or if it is unusable.

    A process reads the file once. After it is replaced, new workers (a reload) read the new one.
    """
    path = model_path()
    try:
        return _remember(path)
    except (FileNotFoundError, UnusableFileError):
        pass
    with _folder_to_oneself(path.parent):
        # Another process may have written the file in the meantime.
        try:
            return _remember(path)
        except FileNotFoundError:
            log.info("No model file at %s yet: fitting one with the default hyperparameters.", path)
        except UnusableFileError as reason:
            log.warning("The model file %s can't be used: %s. Fitting a new one.", path, reason)
        save(fit(Hyperparameters(), _log_epoch), path)
    return _remember(path)


def forget() -> None:
    """Forget the network in use; the next call of `current` reads the file again."""
    _remember.cache_clear()


@contextlib.contextmanager
def _folder_to_oneself(folder: Path) -> Iterator[None]:
    """Wait until no other process is fitting the first model of this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def save(fitted: Fit, path: Path) -> str:
    """Write the network to ``path`` in one step, and return the file's version."""
    content = _content(fitted)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A unique name in the same folder: replacing is atomic only within a file system.
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=".digits-", suffix=".part", delete=False
    ) as part:
        try:
            part.write(content)
            part.close()
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise
    return _version(content)


def read(path: Path) -> Stored:
    """Read a model file. Raises ``FileNotFoundError`` and ``UnusableFileError``."""
    content = path.read_bytes()
    try:
        # Weights only: unlike a pickle, the file cannot run code.
        with np.load(io.BytesIO(content), allow_pickle=False) as entries:
            return Stored(_network_of(entries), _version(content))
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise UnusableFileError(str(error)) from error


def _content(fitted: Fit) -> bytes:
    content = io.BytesIO()
    np.savez(
        content,
        *fitted.network.arrays(),
        activation=np.array(fitted.network.activation),
        format=np.array(FORMAT),
        # Gives each training's file a different version, even if the weights are equal.
        trained=np.array(datetime.now(UTC).isoformat()),
    )
    return content.getvalue()


def _version(content: bytes) -> str:
    return sha256(content).hexdigest()[:12]


# Cached per worker: the network loaded by `warm()` stays in use until a new worker replaces this one.
@lru_cache(maxsize=1)
def _remember(path: Path) -> Stored:
    return read(path)


def _network_of(entries: "np.lib.npyio.NpzFile") -> Network:
    found = int(entries["format"])
    if found != FORMAT:
        raise ValueError(f"it has format {found}, this version of digits reads format {FORMAT}")
    arrays = [entries[f"arr_{number}"] for number in range(4)]
    return Network(arrays[0], arrays[1], arrays[2], arrays[3], str(entries["activation"]))


def _log_epoch(epoch: Epoch) -> None:
    log.debug("epoch %d - loss: %.4f - accuracy: %.4f", epoch.number, epoch.loss, epoch.accuracy)
