"""Owns what a batch of predictions is to do: which files, and the arguments that all of them share.

Must not know how it is done.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from deepaas.batch import inputs as batch_inputs
from deepaas.batch import shards
from deepaas.batch.inputs import Input
from deepaas.batch.runner import Copy
from deepaas.batch.shards import Shard
from deepaas.cmd.cli.flags import Texts
from deepaas.cmd.cli.given import given, uploaded
from deepaas.errors import InvalidArguments, PredictionFailed
from deepaas.files import Scratch
from deepaas.model.arguments import Arguments


class Plan(NamedTuple):
    """The argument that stands for many files, the other arguments, and the files of this part."""

    key: str
    others: Mapping[str, Texts]
    inputs: list[Input]
    shard: Shard

    def raw(self, arguments: Arguments, copy: Copy, scratch: Scratch) -> dict[str, Any]:
        """Return the raw arguments of one prediction, as a request would give them.

        Raise `InvalidArguments` for another file that cannot be read.
        """
        made = given(self.others, scratch)
        files = {**made.form, self.key: [uploaded(self.key, copy.path, copy.original_name)]}
        return arguments.gather(made._replace(form=files))

    def check(self, arguments: Arguments, scratch: Scratch) -> None:
        """Raise `InvalidArguments` for what would be wrong with every file."""
        for one in self.inputs[:1]:
            path = Path(one.path)
            raw = self.raw(arguments, Copy(path, path.name), scratch)
            try:
                arguments.validate_safely(raw)
            except PredictionFailed:
                return  # it may be this file's fault
            except InvalidArguments as error:
                shared = {key: problem for key, problem in error.messages.items() if key != self.key}
                if shared:
                    raise InvalidArguments(shared) from error


def plan_of(texts: Mapping[str, Texts], key: str, ctx: click.Context) -> Plan:
    """Find the files and this part of them. Raise `click.BadParameter` when there are none."""
    flag, values = texts[key]
    others = {name: texts[name] for name in texts if name != key}
    try:
        everything = batch_inputs.find(values, ctx.params["output_dir"])
    except ValueError as error:
        raise click.BadParameter(f"{', '.join(values)}: {error}.", param=flag) from error
    shard = _shard(ctx)
    return Plan(key, others, shard.share(everything), shard)


def _shard(ctx: click.Context) -> Shard:
    option = next(param for param in ctx.command.params if param.name == "shard")
    try:
        return shards.choose(ctx.params["shard"], os.environ)
    except ValueError as error:
        raise click.BadParameter(f"expected {error}.", param=option) from error
