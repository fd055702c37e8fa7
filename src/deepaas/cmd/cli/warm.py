"""`deepaas-cli warm`."""

import click

from deepaas.cmd.cli.author import authors_code
from deepaas.cmd.cli.chosen import chosen_model
from deepaas.cmd.cli.telling import say_result
from deepaas.settings import Settings


@click.command()
@click.pass_obj
def warm(settings: Settings) -> None:
    """Let the model prepare itself: load weights, fetch what it lacks. An error is told, with exit code 1."""
    model = chosen_model(settings)
    with authors_code():
        model.warm()
    say_result(None)
