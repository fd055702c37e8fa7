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

from deepaas.cmd.cli.flag_values import explain_comma_lists, to_argument_sources
from deepaas.cmd.cli.flags import ArgumentFlag, build_flags, collect_flag_values
from deepaas.cmd.cli.model_context import load_model_for_flags, user_code
from deepaas.cmd.cli.output import LOGGER_NAME, log_call, print_json, print_saved_path
from deepaas.cmd.cli.output_files import write_json
from deepaas.errors import SettingsError
from deepaas.log import get_logger
from deepaas.model import loader, rendering
from deepaas.model.model import Model
from deepaas.reporting import ARTIFACTS_VARIABLE, FOLDER_VARIABLE
from deepaas.scratch import ScratchFolder
from deepaas.trainings.folder import TrainingFolder, resolve_state_folder
from deepaas.trainings.monitor import TrainingMonitor
from deepaas.trainings.record import TrainingRecord, TrainingState, display_arguments

_KEYS = ("date", "args", "status", "uuid", "result")
_RESULT_KEYS = ("finish_date", "duration", "output")
_FILE_ONLY_KEYS = ("state", "model_version", "peak_memory_mb")
_log = get_logger(LOGGER_NAME)


def command(ctx: click.Context) -> click.Command:
    """Return the command, with a flag for each of the model's arguments."""
    model = load_model_for_flags(ctx)
    if model is None:
        return click.Command("train")
    flags = build_flags(model.train_arguments)
    return click.Command(
        "train",
        params=list(flags),
        callback=functools.partial(_train, model, flags),
        help="Train the model in this process, and print the training's record.",
    )


def _train(model: Model, flags: list[ArgumentFlag], **_: object) -> None:
    ctx = click.get_current_context()
    function = model.get_function("train")
    identity = uuid.uuid4().hex
    folder = TrainingFolder.for_training(_resolve_state_folder(ctx.obj.state_dir), model.name, identity)
    texts = collect_flag_values(flags, ctx)
    with _expose_folder(folder), explain_comma_lists(texts):
        raw = model.train_arguments.collect(to_argument_sources(texts, ScratchFolder(str(folder.path))))
        arguments = model.train_arguments.validate_in_thread(raw)
        training = TrainingRecord(
            uuid=identity,
            model=model.name,
            created=time.time(),
            arguments=display_arguments(arguments),
            model_version=loader.get_package_version(model.name),
        )
        log_call("train")
        if ctx.obj.warm:
            _warm_model(model)
        noted: dict[str, Any] = {"started": time.time()}
        with user_code(), TrainingMonitor(folder, noted.update) as watch:
            noted["output"] = rendering.to_jsonable_or_repr(function(**arguments))
        noted |= watch.finish()
    noted |= {"finished": time.time(), "artifacts": folder.list_artifacts(hashed=True) or None}
    _print_record(
        _order_keys(dataclasses.replace(training, state=TrainingState.DONE, **noted).to_v2_json()), ctx
    )


def _order_keys(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with its keys in the order of 2.6, then those that 2.6 does not have."""
    result = {key: record["result"][key] for key in _RESULT_KEYS}
    return {key: record[key] for key in _KEYS} | record | {"result": result}


def _print_record(record: dict[str, Any], ctx: click.Context) -> None:
    """Write the record to the named file, or print what 2.6 has of it and what the training reports."""
    # With two blanks, as in 2.6.
    _log.info("Elapsed time:  %s", record["result"]["duration"])
    written = write_json(record, ctx)
    if written:
        print_saved_path(written)
    else:
        print_json({key: value for key, value in record.items() if key not in _FILE_ONLY_KEYS})


def _resolve_state_folder(configured: str) -> Path:
    """Return the folder of all trainings; where none can be written, one that nobody keeps."""
    try:
        return resolve_state_folder(configured)
    except SettingsError as error:
        if configured:
            raise
        _log.warning("%s Using a temporary folder.", error)
        return Path(tempfile.mkdtemp(prefix="deepaas-trainings-"))


@contextlib.contextmanager
def _expose_folder(folder: TrainingFolder) -> Iterator[None]:
    """Let `deepaas.report` and `deepaas.artifacts` find the folder, and keep what they leave there."""
    folder.create()
    os.environ |= {FOLDER_VARIABLE: str(folder.path), ARTIFACTS_VARIABLE: str(folder.artifacts)}
    try:
        yield
    finally:
        folder.delete_inputs()
        if folder.remove_if_empty():
            _log.debug("The training left nothing in its folder")
        else:
            _log.info("What the training left is in %s", folder.path)


def _warm_model(model: Model) -> None:
    """Warm the model as for predictions; a training may be what makes that work again."""
    try:
        model.warm()
    except Exception:  # noqa: BLE001 - the author's code may raise anything
        _log.exception("warm() of the model %r failed; training all the same", model.name)
