"""Tables of command-line options, generated from the click commands."""

from collections.abc import Iterator, Sequence

import click

from deepaas.cmd.cli import commands
from deepaas.cmd.cli import main as cli
from deepaas.cmd.cli.check import check
from deepaas.cmd.cli.new import new
from deepaas.cmd.cli.predict import build_batch_options
from deepaas.cmd.execute import main as execute
from deepaas.cmd.run import main as run
from rows import code, codes, table

_HEAD = ("flag", "description")


def of_run() -> str:
    """Return the options of `deepaas-run`."""
    return _of(run.params)


def of_predict() -> str:
    """Return the options of `deepaas-predict` that have an effect."""
    return _of([param for param in execute.params if not getattr(param, "hidden", False)])


def of_cli() -> str:
    """Return the general options of `deepaas-cli`, then a section for each method."""
    parts = [_of(cli.params)]
    own: dict[str, Sequence[click.Parameter]] = {
        "predict": build_batch_options(()),
        "check": check.params,
        "new": new.params,
    }
    for name, method in commands.METHODS.items():
        parts += [f"## `deepaas-cli {name}`\n", f"{method.help}\n"]
        parts += [_of(own[name])] if name in own else []
    return "\n".join(parts)


def _of(params: Sequence[click.Parameter]) -> str:
    return table(_HEAD, _rows(params))


def _rows(params: Sequence[click.Parameter]) -> Iterator[tuple[str, str]]:
    for param in params:
        if isinstance(param, click.Option):
            yield codes((*param.opts, *param.secondary_opts)), (param.help or "").replace("[", "\\[")
        else:
            yield code(param.human_readable_name.upper()), ""
