"""`deepaas-cli predict`: its flags, and whether it is one prediction or many."""

import functools
from collections.abc import Collection
from pathlib import Path

import click

from deepaas.batch.inputs import is_many
from deepaas.cmd.cli.chosen import model_of
from deepaas.cmd.cli.flags import ArgumentFlag, Texts, flags_of, texts_of
from deepaas.cmd.cli.given import commas_told
from deepaas.cmd.cli.many import predict_many
from deepaas.cmd.cli.once import predict_once
from deepaas.model.arguments import is_file
from deepaas.model.model import Model

_HELP = """Predict with the model, once. Where a file argument is given as a folder, as a pattern in quotes
('*.png') or as a list of paths (@list.txt), predict once for each file, with results in --output-dir."""
_NO_FOLDER = "{}: it stands for many files; name the folder of their results with --output-dir."
_NO_FILES = "--output-dir: give one file argument as a folder, a pattern in quotes, or @list.txt."
_QUOTE = (
    "Got unexpected extra arguments ({}). If a pattern stood for these files, put it in quotes, as '*.png'."
)
_TWO = "{}: only one argument can stand for many files."


class _Predict(click.Command):
    """A command that knows what a shell makes of a pattern without quotes."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the flags. UsageError: something stands behind them that is no flag."""
        ctx.allow_extra_args = True
        extra = super().parse_args(ctx, args)
        if not extra or ctx.resilient_parsing:
            return extra
        if _takes_files(self) and all(Path(text).is_file() for text in extra):
            raise click.UsageError(_QUOTE.format(" ".join(extra)), ctx)
        number = "arguments" if len(extra) > 1 else "argument"
        raise click.UsageError(f"Got unexpected extra {number} ({' '.join(extra)})", ctx)


def command(ctx: click.Context) -> click.Command:
    """Return the command, with a flag for each of the model's arguments."""
    model = model_of(ctx)
    if model is None:
        return click.Command("predict")
    flags = flags_of(model.predict_arguments)
    taken = {spelling for flag in flags for spelling in flag.opts}
    return _Predict(
        "predict",
        params=[*flags, *batch_options(taken)],
        callback=functools.partial(_predict, model, flags),
        help=_HELP,
    )


def _predict(model: Model, flags: list[ArgumentFlag], **_: object) -> None:
    ctx = click.get_current_context()
    model.function("predict")
    texts = texts_of(flags, ctx)
    many = _many(texts, ctx.params["output_dir"])
    with commas_told(texts):
        if many is None:
            predict_once(model, texts, ctx)
        else:
            ctx.exit(predict_many(model, texts, many, ctx))


def _takes_files(made: click.Command) -> bool:
    return any(isinstance(param, ArgumentFlag) and is_file(param.field) for param in made.params)


def _many(texts: dict[str, Texts], output: Path | None) -> str | None:
    """Return the argument that stands for many files, if one does. Raise `UsageError` for half a batch."""
    files = {key: given for key, given in texts.items() if is_file(given.flag.field)}
    many = [key for key, given in files.items() if any(map(is_many, given.values))]
    if len(many) > 1:
        raise click.UsageError(_TWO.format(" and ".join(f"--{key}" for key in many)))
    if output is None:
        if many:
            raise click.UsageError(_NO_FOLDER.format(f"--{many[0]}"))
        return None
    candidates = many or list(files)
    if len(candidates) != 1:
        raise click.UsageError(_NO_FILES)
    return candidates[0]


def batch_options(taken: Collection[str]) -> list[click.Option]:
    """Return the options of a batch; one that is called like an argument begins with `--deepaas-`."""

    def spelled(name: str) -> list[str]:
        return [name, f"--{name.replace('_', '-')}"]

    options = [
        click.Option(
            spelled("output_dir"),
            type=click.Path(file_okay=False, path_type=Path),
            help="Many files: folder of the results, and of manifest.jsonl, which says what became of each.",
        ),
        click.Option(
            spelled("resume"), is_flag=True, help="Many files: pass over those that have their results."
        ),
        click.Option(
            spelled("fail_fast"), is_flag=True, help="Many files: begin no more when one has failed."
        ),
        click.Option(
            spelled("shard"),
            default="",
            metavar="K/N",
            help="Many files: do the K-th of N parts; /N takes K from the array job. "
            "In SLURM and SGE array jobs, without it, each task does its part.",
        ),
        click.Option(
            spelled("workers"),
            type=click.IntRange(min=1),
            help="Many files: predictions at a time, each in a process of its own. [default: 1]",
        ),
        click.Option(
            spelled("predict_timeout"),
            type=click.FloatRange(min=0),
            help="Many files: seconds that a prediction may take; 0 is no limit. [default: 0]",
        ),
    ]
    for option in options:
        option.opts = [_free(spelling, taken) for spelling in option.opts]
    return options


def _free(spelling: str, taken: Collection[str]) -> str:
    return f"--deepaas-{spelling.removeprefix('--')}" if spelling in taken else spelling
