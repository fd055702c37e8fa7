"""`deepaas-cli train`: trains in this process, with a folder and a record like a server's trainings."""

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
from deepaas.model.model import LoadedModel
from deepaas.reporting import ARTIFACTS_VARIABLE, FOLDER_VARIABLE
from deepaas.scratch import UploadFolder
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


def _train(model: LoadedModel, flags: list[ArgumentFlag], **_: object) -> None:
    ctx = click.get_current_context()
    model.get_function("train")
    identity = uuid.uuid4().hex
    folder = TrainingFolder.for_training(_resolve_state_folder(ctx.obj.state_dir), model.name, identity)
    texts = collect_flag_values(flags, ctx)
    with _expose_folder(folder), explain_comma_lists(texts):
        raw = model.train_arguments.collect(to_argument_sources(texts, UploadFolder(str(folder.path))))
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
        updates: dict[str, Any] = {"started": time.time()}
        with TrainingMonitor(folder, updates.update) as monitor, user_code():
            updates["output"] = rendering.to_jsonable_or_repr(model.call("train", **arguments))
        updates |= monitor.finish()
    updates |= {"finished": time.time(), "artifacts": folder.list_artifacts(hashed=True) or None}
    _print_record(
        _order_keys(dataclasses.replace(training, state=TrainingState.DONE, **updates).to_v2_json()), ctx
    )


def _order_keys(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with the keys of 2.6 first, in the order of 2.6."""
    result = {key: record["result"][key] for key in _RESULT_KEYS}
    return {key: record[key] for key in _KEYS} | record | {"result": result}


def _print_record(record: dict[str, Any], ctx: click.Context) -> None:
    """Write the record to the output file, or print it without the keys in `_FILE_ONLY_KEYS`."""
    # Two spaces, as in 2.6.
    _log.info("Elapsed time:  %s", record["result"]["duration"])
    written = write_json(record, ctx)
    if written:
        print_saved_path(written)
    else:
        print_json({key: value for key, value in record.items() if key not in _FILE_ONLY_KEYS})


def _resolve_state_folder(configured: str) -> Path:
    """Return the folder of all trainings; if the default one is not writable, a temporary folder."""
    try:
        return resolve_state_folder(configured)
    except SettingsError as error:
        if configured:
            raise
        _log.warning("%s Using a temporary folder.", error)
        return Path(tempfile.mkdtemp(prefix="deepaas-trainings-"))


@contextlib.contextmanager
def _expose_folder(folder: TrainingFolder) -> Iterator[None]:
    """Set the folder for `deepaas.report` and `deepaas.artifacts`; afterwards keep it unless it is empty."""
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


def _warm_model(model: LoadedModel) -> None:
    """Call the model's warm(). A failure is only logged: it may need files that this training writes."""
    try:
        model.warm()
    except Exception:  # noqa: BLE001 - user code may raise anything
        _log.exception("warm() of the model %r failed; training all the same", model.name)
