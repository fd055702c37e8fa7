"""`deepaas-cli get_metadata`."""

import click

from deepaas.cmd.cli.author import authors_code
from deepaas.cmd.cli.chosen import chosen_model
from deepaas.cmd.cli.telling import say_result
from deepaas.cmd.cli.writing import write_json
from deepaas.settings import Settings


@click.command()
@click.pass_context
def get_metadata(ctx: click.Context) -> None:
    """Print what the model says of itself."""
    settings: Settings = ctx.obj
    model = chosen_model(settings)
    with authors_code():
        said = model.declared_metadata()
    write_json(said, ctx)
    say_result(said)
