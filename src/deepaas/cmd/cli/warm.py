"""`deepaas-cli warm`."""

import click

from deepaas.cmd.cli.author import authors_code
from deepaas.cmd.cli.chosen import chosen_model
from deepaas.cmd.cli.telling import log_call, print_result
from deepaas.settings import Settings


@click.command()
@click.pass_obj
def warm(settings: Settings) -> None:
    """Let the model prepare itself: load weights, fetch what it lacks. An error is told, with exit code 1."""
    model = chosen_model(settings)
    log_call("warm")
    with authors_code():
        model.warm()
    print_result("Finished warm() method")
