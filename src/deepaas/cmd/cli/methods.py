"""Owns the table of what follows `deepaas-cli`: a new command is a new row.

Must not import any of them: each is imported when it is run, so that `--help` is there at once.
"""

import importlib
from collections.abc import Callable
from typing import NamedTuple

import click


class Method(NamedTuple):
    """One command: where it is, and the line of help that lists it.

    `target` is ``module:name`` of a click command, or of a function that makes one of the context of
    `deepaas-cli` itself, whose `obj` are the `Settings`.
    """

    target: str
    help: str


METHODS = {
    "get_metadata": Method("deepaas.cmd.cli.metadata:get_metadata", "Print the model's metadata as JSON."),
    "warm": Method("deepaas.cmd.cli.warm:warm", "Let the model prepare itself, and see whether it can."),
    "predict": Method("deepaas.cmd.cli.predict:command", "Predict once, or once for each of many files."),
    "train": Method("deepaas.cmd.cli.train:command", "Train the model, and print the training's record."),
    "check": Method(
        "deepaas.cmd.cli.check:check", "Say what is wrong with the model, and what to do about it."
    ),
    "new": Method("deepaas.cmd.cli.new:new", "Write a small model package to begin with."),
}


def load(name: str, ctx: click.Context) -> click.Command | None:
    """Return the command called `name`, if there is one."""
    if name not in METHODS:
        return None
    module, _, attribute = METHODS[name].target.partition(":")
    found: click.Command | Callable[[click.Context], click.Command]
    found = getattr(importlib.import_module(module), attribute)
    return found if isinstance(found, click.Command) else found(ctx)
