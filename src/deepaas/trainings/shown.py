"""A training's arguments as its record shows them. It must not know where the record is kept."""

from collections.abc import Mapping
from typing import Any

from deepaas.model import output
from deepaas.model.v2.wrapper import UploadedFile


def shown(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return validated arguments as JSON values; an uploaded file is its name, media type and own name."""
    return {name: output.record(_shown_file(value)) for name, value in arguments.items()}


def _shown_file(value: Any) -> Any:
    if isinstance(value, UploadedFile):
        return [value.name, value.content_type, value.original_filename]
    return [_shown_file(item) for item in value] if isinstance(value, list) else value
