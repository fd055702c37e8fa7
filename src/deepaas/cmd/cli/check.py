"""`deepaas-cli check`: diagnostics for models."""

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from importlib.metadata import entry_points

import click

from deepaas.cmd.cli.model_context import resolve_target
from deepaas.cmd.cli.output import print_line
from deepaas.config.settings import Settings
from deepaas.diagnostics.checker import run_checks
from deepaas.model import loader
from deepaas.model.findings import CheckRequest, Finding, Level

_COLOURS = {Level.ERROR: "red", Level.WARNING: "yellow", Level.CHANGED: "cyan", Level.OK: "green"}
_INDENT = " " * 24


@click.command()
@click.option("--predict", is_flag=True, help="Also predict once per media type, with sample arguments.")
@click.option(
    "--with",
    "argument_texts",
    multiple=True,
    metavar="NAME=VALUE",
    help="Argument of that prediction; a path for a file. Implies --predict.",
)
@click.option(
    "--time-limit",
    default=600.0,
    type=click.FloatRange(min=0.1),
    help="Time limit of each step (s).  [default: 600]",
)
@click.pass_context
def check(ctx: click.Context, *, predict: bool, argument_texts: tuple[str, ...], time_limit: float) -> None:
    """Check the model without a server: report errors with advice, and differences from DEEPaaS 2.6.

    Exits with 1 when it finds an error.
    """
    settings: Settings = ctx.obj
    name, target = resolve_target(settings)
    pairs = [_parse_pair(text) for text in argument_texts]
    with tempfile.TemporaryDirectory(prefix="deepaas-") as scratch:
        request = CheckRequest(name, target, list(sys.path), predict or bool(pairs), pairs, scratch)
        counts = asyncio.run(_run_and_print(request, time_limit))
    print_line(_format_summary(counts))
    ctx.exit(1 if counts[Level.ERROR] else 0)


async def _run_and_print(request: CheckRequest, time_limit_s: float) -> Counter[Level]:
    counts: Counter[Level] = Counter()
    for finding in _check_discovery(request):
        _print_finding(finding, counts)
    async with aclosing(run_checks(request, time_limit_s)) as findings:
        async for finding in findings:
            _print_finding(finding, counts)
    return counts


def _check_discovery(request: CheckRequest) -> Iterator[Finding]:
    """Yield how the model was found, and whether its entry point is ambiguous."""
    step = "discovery"
    yield Finding(Level.OK, step, f"'{request.name}' is {request.target}.")
    points = entry_points(group=loader.ENTRY_POINT_GROUP, name=request.name)
    packages = sorted({point.dist.name for point in points if point.dist})
    if request.target not in loader.discover().values():
        yield Finding(
            Level.NOTE,
            step,
            "No installed package declares it.",
            f'Declare it in pyproject.toml, below [project.entry-points."{loader.ENTRY_POINT_GROUP}"].',
        )
    elif len(packages) > 1:
        yield Finding(
            Level.WARNING,
            step,
            f"Several packages declare it: {', '.join(packages)}.",
            "Only one of them is used: uninstall the others.",
        )


def _print_finding(finding: Finding, counts: Counter[Level]) -> None:
    counts[finding.level] += 1
    level = click.style(f"{finding.level:<8}", fg=_COLOURS.get(finding.level))
    print_line(f"{level} {finding.step:<14} {finding.text}")
    if finding.hint:
        print_line(f"{_INDENT}-> {finding.hint}")
    for line in finding.detail.splitlines():
        print_line(f"{_INDENT}   {line}")


def _format_summary(counts: Counter[Level]) -> str:
    found = [f"{counts[level]} {level}" for level in (Level.ERROR, Level.WARNING, Level.NOTE, Level.CHANGED)]
    return f"Found: {', '.join(found)}."


def _parse_pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"it is {text!r}, expected NAME=VALUE.", param_hint="--with")
    return name, value
