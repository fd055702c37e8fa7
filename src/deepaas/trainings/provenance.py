"""What a training was made with: interpreter, packages, machine.

It must not know what the training does.
"""

import hashlib
import platform
import sys
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from deepaas.trainings.folder import TrainingFolder, sha256_of


class Environment(NamedTuple):
    """A distinct set of packages; `key` is the SHA-256 of its text."""

    key: str
    content: dict[str, Any]


def environment() -> Environment:
    """Return the interpreter's version and the version of every package that can be imported."""
    content = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "packages": _packages(),
    }
    text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return Environment(hashlib.sha256(text).hexdigest(), content)


def upload_hashes(folder: TrainingFolder) -> dict[str, str]:
    """Return the SHA-256 of every uploaded file, by its name in the folder."""
    return {path.name: sha256_of(path) for path in folder.uploads()}


def _packages() -> dict[str, str]:
    """Read the versions off the names of installed distributions, as reading their metadata takes long."""
    found: dict[str, str] = {}
    for place in reversed(sys.path):
        for path in Path(place or ".").glob("*.dist-info"):
            name, _, version = path.stem.rpartition("-")
            found[name.lower().replace("_", "-")] = version
    return dict(sorted(found.items()))
