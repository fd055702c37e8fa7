"""`deepaas-cli get_metadata`, which is also `deepaas-cli` without a method."""

import click

from deepaas.cmd.cli.author import authors_code
from deepaas.cmd.cli.chosen import chosen_model
from deepaas.cmd.cli.telling import NAME, log_call, print_json
from deepaas.cmd.cli.writing import write_json
from deepaas.log import get_logger
from deepaas.settings import Settings

_log = get_logger(NAME)


@click.command()
@click.pass_context
def get_metadata(ctx: click.Context, *, is_named: bool = True) -> None:
    """Print the model's metadata as JSON."""
    settings: Settings = ctx.obj
    model = chosen_model(settings)
    log_call("get_metadata" if is_named else None)
    if not is_named:
        _log.warning("No Method was requested! Return get_metadata()")
    with authors_code():
        metadata = model.own_metadata()
        if metadata is None:
            metadata = model.declared_metadata()
    write_json(metadata, ctx)
    print_json(metadata)  # also when it is written to a file, as in 2.6
