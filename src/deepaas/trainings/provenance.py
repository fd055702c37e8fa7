"""What a training was made with: interpreter, packages, machine.

It must not know what the training does.
"""

import hashlib
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from deepaas.contents import sha256_of
from deepaas.model.v2.wrapper import UploadedFile


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


def upload_hashes(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the SHA-256 of every uploaded file, or a list of them, by the argument's name."""
    return {name: hashes for name, value in arguments.items() if (hashes := _hashes(value))}


def _hashes(value: Any) -> Any:
    if isinstance(value, UploadedFile) and value.filename:
        return sha256_of(Path(value.filename))
    if isinstance(value, list):
        return [hashes for hashes in map(_hashes, value) if hashes]
    return None


def _packages() -> dict[str, str]:
    """Read the versions off the names of installed distributions, as reading their metadata takes long."""
    found: dict[str, str] = {}
    for place in reversed(sys.path):
        for path in Path(place or ".").glob("*.dist-info"):
            name, _, version = path.stem.rpartition("-")
            found[name.lower().replace("_", "-")] = version
    return dict(sorted(found.items()))
