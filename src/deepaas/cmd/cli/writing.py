"""Owns the file that `--deepaas_method_output` names, and what it is called in the end.

Must not know what the result means.
"""

import mimetypes
from pathlib import Path
from typing import Any

import click

from deepaas.batch import results
from deepaas.cmd.cli.telling import print_renamed, print_saved
from deepaas.contents import is_replaceable, replacing, suffix_for
from deepaas.messages import Body
from deepaas.model import jsonable


def named_output(ctx: click.Context) -> Path | None:
    """Return the file that was named for the result, if one was."""
    path: Path | None = ctx.find_root().params["deepaas_method_output"]
    return path


def write_json(value: Any, ctx: click.Context) -> Path | None:
    """Write plain JSON values to the named file, if there is one, and return it."""
    path = named_output(ctx)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(jsonable.dumps_plain(value) + b"\n")
    return path


def write_named(body: Body, path: Path) -> None:
    """Write a result to the file that the command line names, and print the file's name, changed or not."""
    written = write_body(body, path)
    if written != path:
        print_renamed(path, written)
    print_saved(written)


def write_body(body: Body, path: Path) -> Path:
    """Write a result to `path`, which gets the suffix of its media type where it has another; return it."""
    fitting = _fitting_name(path, body.media_type)
    results.write(body, fitting)
    return fitting


def _fitting_name(path: Path, media_type: str) -> Path:
    """Return `path` with the suffix of the media type behind it, unless it has one of its suffixes.

    The name of a device or a pipe stays as it is.
    """
    if not is_replaceable(path):
        return path
    plain = media_type.partition(";")[0]
    if path.suffix.lower() in mimetypes.guess_all_extensions(plain, strict=False):
        return path
    suffix = suffix_for(plain)
    return path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)
