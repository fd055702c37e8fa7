"""Writes results to the files that the command line names."""

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
    """Return the file that was named for the result, if one was."""
    path: Path | None = ctx.find_root().params["deepaas_method_output"]
    return path


def write_json(value: Any, ctx: click.Context) -> Path | None:
    """Write plain JSON values to the named file, if there is one, and return it."""
    path = get_output_path(ctx)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(json_encoding.dumps_jsonable(value) + b"\n")
    return path


def write_output(body: Body, path: Path) -> None:
    """Write a result to the file that the command line names, and print the file's name, changed or not."""
    written = write_body(body, path)
    if written != path:
        print_renamed_path(path, written)
    print_saved_path(written)


def write_body(body: Body, path: Path) -> Path:
    """Write a result to `path`, which gets the suffix of its media type where it has another; return it."""
    fitting = _add_media_suffix(path, body.media_type)
    write_result(body, fitting)
    return fitting


def _add_media_suffix(path: Path, media_type: str) -> Path:
    """Return `path` with the suffix of the media type behind it, unless it has one of its suffixes.

    The name of a device or a pipe stays as it is.
    """
    if not is_replaceable(path):
        return path
    plain = media_type.partition(";")[0]
    if path.suffix.lower() in mimetypes.guess_all_extensions(plain, strict=False):
        return path
    suffix = guess_extension(plain)
    return path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)
