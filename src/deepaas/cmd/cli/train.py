"""`deepaas-cli train`: a training in this process, with a folder and a record like any other."""

import contextlib
import dataclasses
import functools
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from deepaas.cmd.cli.author import authors_code
from deepaas.cmd.cli.chosen import model_of
from deepaas.cmd.cli.flags import ArgumentFlag, flags_of, texts_of
from deepaas.cmd.cli.given import commas_told, given
from deepaas.cmd.cli.telling import NAME, log_call, print_json, print_saved
from deepaas.cmd.cli.writing import write_json
from deepaas.errors import SettingsError
from deepaas.files import Scratch
from deepaas.log import get_logger
from deepaas.model import loading, output
from deepaas.model.model import Model
from deepaas.reporting import ARTIFACTS_VARIABLE, FOLDER_VARIABLE
from deepaas.trainings.folder import TrainingFolder, state_folder
from deepaas.trainings.shown import shown
from deepaas.trainings.training import State, Training
from deepaas.trainings.watch import Watch

_KEYS = ("date", "args", "status", "uuid", "result")
_RESULT_KEYS = ("finish_date", "duration", "output")
_ONLY_IN_FILE = ("state", "model_version", "peak_memory_mb")
_log = get_logger(NAME)


def command(ctx: click.Context) -> click.Command:
    """Return the command, with a flag for each of the model's arguments."""
    model = model_of(ctx)
    if model is None:
        return click.Command("train")
    flags = flags_of(model.train_arguments)
    return click.Command(
        "train",
        params=list(flags),
        callback=functools.partial(_train, model, flags),
        help="Train the model in this process, and print the training's record.",
    )


def _train(model: Model, flags: list[ArgumentFlag], **_: object) -> None:
    ctx = click.get_current_context()
    function = model.function("train")
    identity = uuid.uuid4().hex
    folder = TrainingFolder.of(_state(ctx.obj.state_dir), model.name, identity)
    texts = texts_of(flags, ctx)
    with _in_folder(folder), commas_told(texts):
        raw = model.train_arguments.gather(given(texts, Scratch(str(folder.path))))
        arguments = model.train_arguments.validate_safely(raw)
        training = Training(
            uuid=identity,
            model=model.name,
            created=time.time(),
            arguments=shown(arguments),
            model_version=loading.version_of(model.name),
        )
        log_call("train")
        if ctx.obj.warm:
            _warm(model)
        noted: dict[str, Any] = {"started": time.time()}
        with authors_code(), Watch(folder, noted.update) as watch:
            noted["output"] = output.record(function(**arguments))
        noted |= watch.finish()
    noted |= {"finished": time.time(), "artifacts": folder.listing(hashed=True) or None}
    _print(_in_order(dataclasses.replace(training, state=State.DONE, **noted).as_v2()), ctx)


def _in_order(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with its keys in the order of 2.6, then those that 2.6 does not have."""
    result = {key: record["result"][key] for key in _RESULT_KEYS}
    return {key: record[key] for key in _KEYS} | record | {"result": result}


def _print(record: dict[str, Any], ctx: click.Context) -> None:
    """Write the record to the named file, or print what 2.6 has of it and what the training reports."""
    # With two blanks, as in 2.6.
    _log.info("Elapsed time:  %s", record["result"]["duration"])
    written = write_json(record, ctx)
    if written:
        print_saved(written)
    else:
        print_json({key: value for key, value in record.items() if key not in _ONLY_IN_FILE})


def _state(named: str) -> Path:
    """Return the folder of all trainings; where none can be written, one that nobody keeps."""
    try:
        return state_folder(named)
    except SettingsError as error:
        if named:
            raise
        _log.warning("%s Using a temporary folder.", error)
        return Path(tempfile.mkdtemp(prefix="deepaas-trainings-"))


@contextlib.contextmanager
def _in_folder(folder: TrainingFolder) -> Iterator[None]:
    """Let `deepaas.report` and `deepaas.artifacts` find the folder, and keep what they leave there."""
    folder.make()
    os.environ |= {FOLDER_VARIABLE: str(folder.path), ARTIFACTS_VARIABLE: str(folder.artifacts)}
    try:
        yield
    finally:
        folder.drop_inputs()
        if folder.remove_if_empty():
            _log.debug("The training left nothing in its folder")
        else:
            _log.info("What the training left is in %s", folder.path)


def _warm(model: Model) -> None:
    """Warm the model as for predictions; a training may be what makes that work again."""
    try:
        model.warm()
    except Exception:  # noqa: BLE001 - the author's code may raise anything
        _log.exception("warm() of the model %r failed; training all the same", model.name)
