"""`deepaas-cli get_metadata` and `deepaas-cli warm`."""

import click

from deepaas.cmd.cli.model_context import load_model, user_code
from deepaas.cmd.cli.output import LOGGER_NAME, log_call, print_json, print_result
from deepaas.cmd.cli.output_files import write_json
from deepaas.config.settings import Settings
from deepaas.log import get_logger


@click.command()
@click.pass_obj
def warm(settings: Settings) -> None:
    """Run the model's function warm, which loads weights or downloads files. Exits with 1 on an error."""
    model = load_model(settings)
    log_call("warm")
    with user_code():
        model.warm()
    print_result("Finished warm() method")


_log = get_logger(LOGGER_NAME)


@click.command()
@click.pass_context
def get_metadata(ctx: click.Context, *, is_named: bool = True) -> None:
    """Print the model's metadata as JSON."""
    settings: Settings = ctx.obj
    model = load_model(settings)
    log_call("get_metadata" if is_named else None)
    if not is_named:
        _log.warning("No Method was requested! Return get_metadata()")
    with user_code():
        metadata = model.call_get_metadata()
        if metadata is None:
            metadata = model.read_metadata_or_raise()
    write_json(metadata, ctx)
    print_json(metadata)  # also when written to a file, as in 2.6
