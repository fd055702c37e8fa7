"""`deepaas-cli predict`: its flags, single predictions, and the choice of batch mode."""

import functools
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from deepaas.batch.inputs import expands_to_many
from deepaas.cmd.cli.batch import run_batch
from deepaas.cmd.cli.flag_values import explain_comma_lists, resolve_media_type, to_argument_sources
from deepaas.cmd.cli.flags import ArgumentFlag, FlagValues, build_flags, collect_flag_values
from deepaas.cmd.cli.model_context import load_model_for_flags, user_code
from deepaas.cmd.cli.output import log_call, print_output_path, print_result, print_saved_path
from deepaas.cmd.cli.output_files import get_output_path, write_body, write_output
from deepaas.messages import Body, Envelope
from deepaas.model import rendering, stream_encoding
from deepaas.model.fields import is_file
from deepaas.model.model import LoadedModel
from deepaas.model.v2.wrapper import ReturnedFile, UploadedFile
from deepaas.scratch import ScratchFolder, ScratchRoot


def run_single(model: LoadedModel, flag_values: Mapping[str, FlagValues], ctx: click.Context) -> None:
    """Predict once, and write the result to the output file or print it.

    Raise `InvalidArguments`, or `CliError` for an exception of user code.
    """
    with ScratchRoot() as space:
        prediction = _predict(model, flag_values, space.create_folder(), warm=ctx.obj.warm)
        named = get_output_path(ctx)
        if named:
            write_output(prediction.body, named)
        else:
            _print_prediction(prediction, Path(f"{model.name}-predict"))


class _Prediction(NamedTuple):
    """The return value of `predict`, and the body that an HTTP client would receive."""

    value: Any
    body: Body


def _predict(
    model: LoadedModel, flag_values: Mapping[str, FlagValues], scratch: ScratchFolder, *, warm: bool
) -> _Prediction:
    declared = model.predict_arguments
    raw = declared.collect(to_argument_sources(flag_values, scratch))
    media_type = resolve_media_type(declared, raw)
    arguments = declared.validate_in_thread(raw)
    log_call("predict")
    with user_code():
        if warm:
            model.warm()
        returned = model.call("predict", **arguments)
        if stream_encoding.is_stream(returned):
            encoder = stream_encoding.StreamEncoder(media_type, model.schema, prefers_events=False)
            return _Prediction(returned, _collect_stream(model, returned, encoder, scratch))
        form = rendering.ResponseFormat(model.schema, Envelope.NONE)
        body = rendering.render(returned, media_type, form, scratch.path, arguments=arguments)
        return _Prediction(returned, body)


def _collect_stream(
    model: LoadedModel, stream: Any, encoder: stream_encoding.StreamEncoder, scratch: ScratchFolder
) -> Body:
    """Write all items of a stream to a file and return it as one body."""
    path = scratch.create_file_path("")
    with path.open("wb") as file:
        model.for_each_item(stream, lambda item: file.write(encoder.encode(item)))
    return Body(encoder.media_type, b"", str(path))


def _print_prediction(prediction: _Prediction, default_path: Path) -> None:
    """Print a JSON or text prediction; write any other to a file named after `default_path`."""
    returned, body = prediction
    content = Path(body.path).read_bytes() if body.path else body.content
    if body.media_type == stream_encoding.JSON_LINES:
        print_result([json.loads(line) for line in content.splitlines()])
    elif body.media_type.partition(";")[0].endswith("json"):
        # Print the original value, as in 2.6: JSON would turn tuples into lists, for instance.
        print_result(json.loads(content) if _is_file_or_stream(returned) else returned)
    elif body.media_type.startswith("text/"):
        print_result(content.decode(errors="replace"))
    else:
        written = write_body(body, default_path)
        print_output_path(written)
        print_saved_path(written)


def _is_file_or_stream(value: Any) -> bool:
    """Return whether the value is a file or a stream, so that its content is the prediction."""
    is_file = isinstance(value, ReturnedFile | UploadedFile) or rendering.is_open_file(value)
    return is_file or stream_encoding.is_stream(value)


_HELP = """Predict once. If a file argument is a folder, a quoted pattern ('*.png') or a list of paths
(@list.txt), predict once per file, and write the results to --output-dir."""
_MISSING_OUTPUT_DIR = "{}: for many files, set the folder for the results with --output-dir."
_MISSING_FILES = "--output-dir: set one file argument to a folder, a quoted pattern, or @list.txt."
_UNQUOTED_PATTERN = (
    "Got unexpected extra arguments ({}). If the shell expanded a pattern, quote it, as in '*.png'."
)
_MULTIPLE_BATCH_ARGUMENTS = "{}: only one argument can have many files."


class _PredictCommand(click.Command):
    """A command with an error message for patterns that the shell expanded."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the flags. Raise `UsageError` for positional arguments."""
        ctx.allow_extra_args = True
        extra = super().parse_args(ctx, args)
        if not extra or ctx.resilient_parsing:
            return extra
        if _has_file_flags(self) and all(Path(text).is_file() for text in extra):
            raise click.UsageError(_UNQUOTED_PATTERN.format(" ".join(extra)), ctx)
        number = "arguments" if len(extra) > 1 else "argument"
        raise click.UsageError(f"Got unexpected extra {number} ({' '.join(extra)})", ctx)


def command(ctx: click.Context) -> click.Command:
    """Return the command, with a flag for each of the model's arguments."""
    model = load_model_for_flags(ctx)
    if model is None:
        return click.Command("predict")
    flags = build_flags(model.predict_arguments)
    taken = {spelling for flag in flags for spelling in flag.opts}
    return _PredictCommand(
        "predict",
        params=[*flags, *build_batch_options(taken)],
        callback=functools.partial(_run_command, model, flags),
        help=_HELP,
    )


def _run_command(model: LoadedModel, flags: list[ArgumentFlag], **_: object) -> None:
    ctx = click.get_current_context()
    model.get_function("predict")
    texts = collect_flag_values(flags, ctx)
    many = _find_batch_argument(texts, ctx.params["output_dir"])
    with explain_comma_lists(texts):
        if many is None:
            run_single(model, texts, ctx)
        else:
            ctx.exit(run_batch(model, texts, many, ctx))


def _has_file_flags(click_command: click.Command) -> bool:
    return any(isinstance(param, ArgumentFlag) and is_file(param.field) for param in click_command.params)


def _find_batch_argument(flag_values: dict[str, FlagValues], output: Path | None) -> str | None:
    """Return the argument with many files, or `None`. Raise `UsageError` for an incomplete batch."""
    files = {key: values for key, values in flag_values.items() if is_file(values.flag.field)}
    many = [key for key, (_, values) in files.items() if any(map(expands_to_many, values))]
    if len(many) > 1:
        raise click.UsageError(_MULTIPLE_BATCH_ARGUMENTS.format(" and ".join(f"--{key}" for key in many)))
    if output is None:
        if many:
            raise click.UsageError(_MISSING_OUTPUT_DIR.format(f"--{many[0]}"))
        return None
    candidates = many or list(files)
    if len(candidates) != 1:
        raise click.UsageError(_MISSING_FILES)
    return candidates[0]


def build_batch_options(used_spellings: Collection[str]) -> list[click.Option]:
    """Return the options of a batch; if a name is also an argument's, the option starts with `--deepaas-`."""
    options = [
        click.Option(
            ["--output-dir"],
            type=click.Path(file_okay=False, path_type=Path),
            help="Batch: output folder, also for manifest.jsonl with the status of each file.",
        ),
        click.Option(["--resume"], is_flag=True, help="Batch: skip files that already have results."),
        click.Option(["--fail-fast"], is_flag=True, help="Batch: start no more predictions after a failure."),
        click.Option(
            ["--shard"],
            default="",
            metavar="K/N",
            help="Batch: shard K of N, or /N in an array job (default there: one shard per task).",
        ),
        click.Option(
            ["--workers"], type=click.IntRange(min=1), help="Batch: number of worker processes. [default: 1]"
        ),
        click.Option(
            ["--predict-timeout"],
            type=click.FloatRange(min=0),
            help="Batch: time limit of a prediction (s); 0 disables it. [default: 0]",
        ),
    ]
    for option in options:
        if option.opts[0] in used_spellings:
            option.opts = [f"--deepaas-{option.opts[0].removeprefix('--')}"]
    return options
