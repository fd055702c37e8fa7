"""`deepaas-cli check`: a doctor for models."""

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from importlib.metadata import entry_points

import click

from deepaas.checking.doctor import examine
from deepaas.checking.finding import Finding, Level, Question
from deepaas.cmd.cli.chosen import target_of
from deepaas.cmd.cli.telling import say
from deepaas.model import loading
from deepaas.settings import Settings

_COLOURS = {Level.ERROR: "red", Level.WARNING: "yellow", Level.DIFFERS: "cyan", Level.OK: "green"}
_INDENT = " " * 24


@click.command()
@click.option(
    "--predict", is_flag=True, help="Predict too, once for each media type, with made-up arguments."
)
@click.option(
    "--with",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="An argument of that prediction; for a file, its path. Implies --predict.",
)
@click.option(
    "--time-limit",
    default=600.0,
    type=click.FloatRange(min=0.1),
    help="Seconds that each step may take.  [default: 600]",
)
@click.pass_context
def check(ctx: click.Context, *, predict: bool, given: tuple[str, ...], time_limit: float) -> None:
    """Check the model without a server: what is wrong, what to do about it, what is not as in DEEPaaS 2.6.

    Exits with 1 when it finds an error.
    """
    settings: Settings = ctx.obj
    name, target = target_of(settings)
    pairs = [_pair(text) for text in given]
    with tempfile.TemporaryDirectory(prefix="deepaas-") as scratch:
        question = Question(name, target, list(sys.path), predict or bool(pairs), pairs, scratch)
        counts = asyncio.run(_show(question, time_limit))
    say(_summary(counts))
    ctx.exit(1 if counts[Level.ERROR] else 0)


async def _show(question: Question, time_limit_s: float) -> Counter[Level]:
    counts: Counter[Level] = Counter()
    for finding in _discovery(question):
        counts[finding.level] += 1
        _print(finding)
    async with aclosing(examine(question, time_limit_s)) as findings:
        async for finding in findings:
            counts[finding.level] += 1
            _print(finding)
    return counts


def _discovery(question: Question) -> Iterator[Finding]:
    """Say how the model is found."""
    step = "discovery"
    yield Finding(Level.OK, step, f"'{question.name}' is {question.target}.")
    points = entry_points(group=loading.GROUP, name=question.name)
    packages = sorted({point.dist.name for point in points if point.dist})
    if question.target not in loading.discover().values():
        yield Finding(
            Level.NOTE,
            step,
            "No installed package declares it.",
            f'Declare it in pyproject.toml, below [project.entry-points."{loading.GROUP}"].',
        )
    elif len(packages) > 1:
        yield Finding(
            Level.WARNING,
            step,
            f"Several packages declare it: {', '.join(packages)}.",
            "Only one of them is used: uninstall the others.",
        )


def _print(finding: Finding) -> None:
    level = click.style(f"{finding.level:<8}", fg=_COLOURS.get(finding.level))
    say(f"{level} {finding.step:<14} {finding.text}")
    if finding.advice:
        say(f"{_INDENT}-> {finding.advice}")
    for line in finding.detail.splitlines():
        say(f"{_INDENT}   {line}")


def _summary(counts: Counter[Level]) -> str:
    found = [f"{counts[level]} {level}" for level in (Level.ERROR, Level.WARNING, Level.NOTE, Level.DIFFERS)]
    return f"Found: {', '.join(found)}."


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"it is {text!r}, expected NAME=VALUE.", param_hint="--with")
    return name, value
