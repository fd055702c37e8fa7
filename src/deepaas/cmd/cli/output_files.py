"""Writes results to files."""

import mimetypes
from pathlib import Path
from typing import Any

import click

from deepaas.atomic_files import atomic_write, guess_extension, is_replaceable
from deepaas.batch.result_files import write_result
from deepaas.cmd.cli.output import print_renamed_path, print_saved_path
from deepaas.messages import Body
from deepaas.model import json_encoding


def get_output_path(ctx: click.Context) -> Path | None:
    """Return the value of `--deepaas_method_output`, if set."""
    path: Path | None = ctx.find_root().params["deepaas_method_output"]
    return path


def write_json(value: Any, ctx: click.Context) -> Path | None:
    """Write JSON values to the output file, if one is set, and return its path."""
    path = get_output_path(ctx)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(json_encoding.dumps_jsonable(value) + b"\n")
    return path


def write_output(body: Body, path: Path) -> None:
    """Write a result to the output file `path`, and print the path, which may get another suffix."""
    written = write_body(body, path)
    if written != path:
        print_renamed_path(path, written)
    print_saved_path(written)


def write_body(body: Body, path: Path) -> Path:
    """Write a result to `path`, append the suffix of its media type if missing, and return the new path."""
    written = _add_media_suffix(path, body.media_type)
    write_result(body, written)
    return written


def _add_media_suffix(path: Path, media_type: str) -> Path:
    """Append the suffix of the media type, unless `path` has one of its suffixes or is a device or pipe."""
    if not is_replaceable(path):
        return path
    plain = media_type.partition(";")[0]
    if path.suffix.lower() in mimetypes.guess_all_extensions(plain, strict=False):
        return path
    suffix = guess_extension(plain)
    return path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)
