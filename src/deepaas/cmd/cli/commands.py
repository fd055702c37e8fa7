"""`deepaas-cli`: the group of its commands and the options that stand before them."""

import difflib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from deepaas import log
from deepaas.cmd.cli.output import escape_unencodable, short_errors
from deepaas.cmd.options import build_click_options, load_settings


class CommandSpec(NamedTuple):
    """One command: where it is, and the line of help that lists it.

    `target` is ``module:name`` of a click command, or of a function that makes one of the context of
    `deepaas-cli` itself, whose `obj` are the `Settings`.
    """

    target: str
    help: str


METHODS = {
    "get_metadata": CommandSpec("deepaas.cmd.cli.basic:get_metadata", "Print the model's metadata as JSON."),
    "warm": CommandSpec(
        "deepaas.cmd.cli.basic:warm", "Let the model prepare itself, and see whether it can."
    ),
    "predict": CommandSpec(
        "deepaas.cmd.cli.predict:command", "Predict once, or once for each of many files."
    ),
    "train": CommandSpec(
        "deepaas.cmd.cli.train:command", "Train the model, and print the training's record."
    ),
    "check": CommandSpec(
        "deepaas.cmd.cli.check:check", "Say what is wrong with the model, and what to do about it."
    ),
    "new": CommandSpec("deepaas.cmd.cli.new:new", "Write a small model package to begin with."),
}


def load_command(name: str, ctx: click.Context) -> click.Command | None:
    """Return the command called `name`, if there is one."""
    if name not in METHODS:
        return None
    module, _, attribute = METHODS[name].target.partition(":")
    found: click.Command | Callable[[click.Context], click.Command]
    found = getattr(importlib.import_module(module), attribute)
    return found if isinstance(found, click.Command) else found(ctx)


_SETTINGS = (
    "model_name",
    "model",
    "warm",
    "state_dir",
    "debug",
    "log_file",
    "log_format",
    "log_level",
)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are run; it tells what is wrong in one line."""

    def make_context(self, *args: object, **kwargs: object) -> click.Context:
        """Read the options before the method."""
        with short_errors():
            return super().make_context(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they are

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
        """Read the settings, which the flags of some methods depend on, and find the method."""
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
    """Read the settings, and let standard output and log lines be as they want it."""
    log.buffer_until_configured()
    ctx.obj = settings = load_settings(ctx)
    escape_unencodable()
    level = "DEBUG" if settings.debug else settings.log_level
    log.configure(level, file=settings.log_file, stream=sys.stdout, log_format=settings.log_format)


def _format_unknown_method(name: str) -> str:
    """Return what to say about a method that does not exist."""
    close = difflib.get_close_matches(name, METHODS)
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"No such method: {name}.{meant} There are {', '.join(METHODS)}; --help describes them."


def _hint_misplaced_option(error: click.NoSuchOption, group: click.Group) -> str | None:
    """Return what to say about an option behind the method that has its place before it."""
    name = error.option_name
    option = next((one for one in group.params if name in (*one.opts, *one.secondary_opts)), None)
    if not isinstance(option, click.Option) or error.ctx is None:
        return None
    written = name if option.is_flag else f"{name} …"
    method = error.ctx.info_name
    return f"No such option: {name}. It stands before the method: deepaas-cli {written} {method}."


def _build_options() -> list[click.Parameter]:
    """Return the options before the method; the two that scripts know are spelled as ever."""
    return [
        click.Option(
            ["--deepaas_method_output"],
            type=click.Path(dir_okay=False, path_type=Path),
            help="File that the result is written to.",
        ),
        click.Option(
            ["--deepaas_with_multiprocessing/--nodeepaas_with_multiprocessing"],
            default=True,
            help="Let processes that the model starts begin afresh (spawn), not as copies of this one.",
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
        help="Use a model without a server. Each METHOD has a --help of its own, with the model's arguments; "
        "without a METHOD, it is get_metadata.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
)
