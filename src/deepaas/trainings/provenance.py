"""Records how a training was made: interpreter, packages, platform, uploads."""

import hashlib
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from deepaas.atomic_files import compute_sha256
from deepaas.model.v2.wrapper import UploadedFile


class Environment(NamedTuple):
    """A set of installed packages; `key` is the SHA-256 of its JSON."""

    key: str
    content: dict[str, Any]


def collect_environment() -> Environment:
    """Return the interpreter's version and the version of every package that can be imported."""
    content = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "packages": _list_packages(),
    }
    text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return Environment(hashlib.sha256(text).hexdigest(), content)


def hash_uploads(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the SHA-256 of every uploaded file, or a list of them, by argument name."""
    return {name: hashes for name, value in arguments.items() if (hashes := _hash_files(value))}


def _hash_files(value: Any) -> Any:
    if isinstance(value, UploadedFile) and value.filename:
        return compute_sha256(Path(value.filename))
    if isinstance(value, list):
        return [hashes for hashes in map(_hash_files, value) if hashes]
    return None


def _list_packages() -> dict[str, str]:
    """Read versions from the folder names of distributions, since reading their metadata is slow."""
    found: dict[str, str] = {}
    for place in reversed(sys.path):
        for path in Path(place or ".").glob("*.dist-info"):
            name, _, version = path.stem.rpartition("-")
            found[name.lower().replace("_", "-")] = version
    return dict(sorted(found.items()))
