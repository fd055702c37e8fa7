"""`deepaas-cli`: its methods (subcommands) and global options."""

import difflib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from deepaas import log
from deepaas.cmd.cli.output import open_output, short_errors
from deepaas.cmd.options import build_click_options, load_settings


class CommandSpec(NamedTuple):
    """A method: its target and its help text.

    `target` is ``module:name`` of a click command, or of a function that builds one from the context of
    `deepaas-cli`, whose `obj` is `Settings`.
    """

    target: str
    help: str


METHODS = {
    "get_metadata": CommandSpec("deepaas.cmd.cli.basic:get_metadata", "Print the model's metadata as JSON."),
    "warm": CommandSpec("deepaas.cmd.cli.basic:warm", "Call the model's warm(), to test it."),
    "predict": CommandSpec(
        "deepaas.cmd.cli.predict:command", "Predict once, or once per file for many files."
    ),
    "train": CommandSpec(
        "deepaas.cmd.cli.train:command", "Train the model, and print the training's record."
    ),
    "check": CommandSpec(
        "deepaas.cmd.cli.check:check", "Find errors in the model, with advice on how to fix them."
    ),
    "new": CommandSpec("deepaas.cmd.cli.new:new", "Create a small model package as a starting point."),
}


def load_command(name: str, ctx: click.Context) -> click.Command | None:
    """Import and return the command of the method `name`, or `None` if there is no such method."""
    if name not in METHODS:
        return None
    module, _, attribute = METHODS[name].target.partition(":")
    command: click.Command | Callable[[click.Context], click.Command]
    command = getattr(importlib.import_module(module), attribute)
    return command if isinstance(command, click.Command) else command(ctx)


_SETTINGS = ("model_name", "model", "warm", "state_dir", "debug", "log_file", "log_format", "log_level")


class LazyGroup(click.Group):
    """A group that imports a method when it runs, and reports errors in one line."""

    def make_context(self, *args: object, **kwargs: object) -> click.Context:
        """Parse the global options."""
        with short_errors():
            return super().make_context(*args, **kwargs)  # type: ignore[arg-type]  # passed on unchanged

    def invoke(self, ctx: click.Context) -> object:
        """Run the method."""
        with short_errors():
            try:
                return super().invoke(ctx)
            except click.NoSuchOption as error:
                raise click.UsageError(
                    _hint_misplaced_option(error, self) or error.format_message()
                ) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Load the settings, on which the flags of some methods depend, and find the method."""
        if ctx.resilient_parsing:
            ctx.obj = load_settings(ctx)
        else:
            _configure(ctx)
            if args[0] not in METHODS:
                ctx.fail(_format_unknown_method(args[0]))
        return super().resolve_command(ctx, args)

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names of the methods."""
        return list(METHODS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a method."""
        return load_command(name, ctx)

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """List the methods without importing them."""
        with formatter.section("Methods"):
            formatter.write_dl([(name, method.help) for name, method in METHODS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a method without importing any."""
        names = [name for name in METHODS if name.startswith(incomplete)]
        items = [CompletionItem(name, help=METHODS[name].help) for name in names]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]


def _configure(ctx: click.Context) -> None:
    """Load the settings into the context, and configure standard output and logging."""
    stream = open_output(ctx)
    log.buffer_until_configured()
    ctx.obj = settings = load_settings(ctx)
    level = "DEBUG" if settings.debug else settings.log_level
    log.configure(level, file=settings.log_file, stream=stream, log_format=settings.log_format)


def _format_unknown_method(name: str) -> str:
    close = difflib.get_close_matches(name, METHODS)
    suggestion = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"No such method: {name}.{suggestion} Available: {', '.join(METHODS)}; see --help."


def _hint_misplaced_option(error: click.NoSuchOption, group: click.Group) -> str | None:
    """Return the error for a global option after the method, or `None` for an unknown option."""
    name = error.option_name
    option = next((param for param in group.params if name in (*param.opts, *param.secondary_opts)), None)
    if not isinstance(option, click.Option) or error.ctx is None:
        return None
    usage = name if option.is_flag else f"{name} …"
    method = error.ctx.info_name
    return f"No such option: {name}. Put it before the method: deepaas-cli {usage} {method}."


def _build_options() -> list[click.Parameter]:
    """Return the global options; scripts for 2.6 use the first two."""
    return [
        click.Option(
            ["--deepaas_method_output"],
            type=click.Path(dir_okay=False, path_type=Path),
            help="Output file for the result.",
        ),
        click.Option(
            ["--deepaas_with_multiprocessing/--nodeepaas_with_multiprocessing"],
            default=True,
            help="Start the model's processes with spawn instead of fork.",
        ),
        *build_click_options(_SETTINGS),
    ]


@click.pass_context
def _run_default_method(ctx: click.Context, /, **_: object) -> None:
    """Call get_metadata when the command line names no method, as 2.6 does."""
    if ctx.invoked_subcommand is None:
        _configure(ctx)
        get_metadata = load_command("get_metadata", ctx)
        assert get_metadata is not None
        ctx.invoke(get_metadata, is_named=False)


main = click.version_option(package_name="deepaas", message="%(version)s")(
    LazyGroup(
        "deepaas-cli",
        params=_build_options(),
        callback=_run_default_method,
        invoke_without_command=True,
        subcommand_metavar="[METHOD [--ARGUMENT VALUE ...]]",
        help="Use a model without a server. The --help of each METHOD lists the model's arguments; "
        "the default METHOD is get_metadata.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
)
