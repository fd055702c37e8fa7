"""`deepaas-predict`: a deprecated command of 2.6, for scripts that call it. 2.6 also named its module so."""

import mimetypes
import shutil
from pathlib import Path
from typing import Any

import click

from deepaas import log
from deepaas.atomic_files import atomic_write
from deepaas.cmd.cli.model_context import load_model, user_code
from deepaas.cmd.cli.output import CliError, short_errors
from deepaas.cmd.options import build_click_options, load_settings
from deepaas.model.model import LoadedModel
from deepaas.model.rendering import JSON
from deepaas.model.v2.wrapper import UploadedFile
from deepaas.standard_streams import open_standard_streams

_DEPRECATED = (
    "deepaas-predict is deprecated and will be removed in the next major release: "
    "use deepaas-cli predict instead."
)
# Options of 2.6 that had no effect on a prediction there either.
_IGNORED_OPTIONS = (
    "client_max_size",
    "debug_endpoint",
    "doc_endpoint",
    "predict_endpoint",
    "train_endpoint",
    "warm",
    "workers",
)


def _build_options() -> list[click.Parameter]:
    """Return the options of 2.6; the ones without effect are hidden from the help."""
    options: list[click.Parameter] = [
        click.Option(["--input-file", "-i"], metavar="FILE", help="Input file, or input URL with --url."),
        click.Option(["--output", "-o"], metavar="DIR", help="Output folder; created if missing."),
        # The documentation of 2.6 has -c, its program -ct, which it accepts abbreviated.
        click.Option(
            ["--content-type", "-ct", "-c"],
            default=JSON,
            help=f"Media type of the result.  [default: {JSON}]",
        ),
        click.Option(["--url/--nourl", "-u"], default=False, help="Call predict_url() of the model."),
        *build_click_options(("model_name", "model")),
    ]
    unused = build_click_options(_IGNORED_OPTIONS)
    taken = {param.name for param in options}
    for param in unused:
        if isinstance(param, click.Option) and param.name not in taken:
            param.hidden = True
            options.append(param)
    return options


@click.pass_context
def _predict(
    ctx: click.Context,
    /,
    *,
    input_file: str | None,
    output: str | None,
    content_type: str,
    url: bool,
    **_: object,
) -> None:
    """Predict for one file with a model's predict_data(), or for one URL with its predict_url().

    Deprecated: use deepaas-cli predict.
    """
    open_standard_streams()
    click.echo(_DEPRECATED, err=True)
    log.buffer_until_configured()
    with short_errors():
        settings = load_settings(ctx)
        # Log to standard error: 2.6 logs nothing to standard output, where scripts read the last line.
        log.configure(settings.log_level, file=settings.log_file, log_format=settings.log_format)
        if input_file is None:
            raise CliError("Missing option --input-file: set the input file.")
        if output is None:
            raise CliError("Missing option --output: set the output folder.")
        model, function = load_model(settings), "predict_url" if url else "predict_data"
        _check_function(model, function)
        with user_code():
            result = model.call(function, _build_arguments(input_file, content_type, is_url=url))
        name = _save_result(result, content_type, Path(output), input_file)
    # No slash between the two, as in 2.6.
    click.echo(f"Output saved at {output}{name}")


def _check_function(model: LoadedModel, name: str) -> None:
    """Raise `CliError` if the model has no function `name`."""
    if not model.implements(name):
        raise CliError(
            f"The model '{model.name}' has no function '{name}', which deepaas-predict calls: "
            f"use deepaas-cli --model-name {model.name} predict instead."
        )


def _build_arguments(source: str, media_type: str, *, is_url: bool) -> dict[str, Any]:
    """Return the only argument of predict_data() or predict_url(), as in 2.6."""
    if is_url:
        return {"urls": [source], "accept": media_type}
    file = UploadedFile(source, source, mimetypes.guess_type(source)[0], None)
    return {"files": [file], "accept": media_type}


def _save_result(result: Any, media_type: str, folder: Path, source: str) -> str:
    """Write the result to the folder as 2.6 does, and return the file's name.

    For JSON, write the result's `repr`; else copy an open file. Raise `CliError` for any other value.
    """
    if media_type == JSON and result is not None:
        return _write_value(result, folder, source)
    path = getattr(result, "name", None)
    if isinstance(path, str):
        return _copy_file(Path(path), folder)
    raise CliError(
        f"The model returned {type(result).__name__} for the content type {media_type}, where "
        "deepaas-predict takes an open file that has a name. Choose another --content-type, or use "
        "deepaas-cli predict."
    )


def _write_value(value: Any, folder: Path, source: str) -> str:
    name = f"out_{Path(source.rpartition('/')[2]).stem}.json"
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / name) as file:
        file.write(f"{value!r}\n".encode())
    return name


def _copy_file(path: Path, folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("rb") as original, atomic_write(folder / path.name) as file:
        shutil.copyfileobj(original, file)
    return path.name


main = click.version_option(package_name="deepaas", message="%(version)s")(
    click.Command(
        "deepaas-predict",
        params=_build_options(),
        callback=_predict,
        help=_predict.__doc__,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
)

if __name__ == "__main__":  # false in processes that a model spawns
    main(prog_name="deepaas-predict")
