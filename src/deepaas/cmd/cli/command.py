"""Owns `deepaas-cli` itself: the options that stand before a method, and how everything is told.

Must not know what the methods do.
"""

import difflib
import sys
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from deepaas import log
from deepaas.cmd.cli import methods
from deepaas.cmd.cli.telling import one_line, spell_out
from deepaas.cmd.options import click_options, settings_of

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


class Methods(click.Group):
    """A group whose commands are imported when they are run; it tells what is wrong in one line."""

    def make_context(self, *arguments: object, **more: object) -> click.Context:
        """Read the options before the method."""
        with one_line():
            return super().make_context(*arguments, **more)  # type: ignore[arg-type]  # passed on as they are

    def invoke(self, ctx: click.Context) -> object:
        """Run the method."""
        with one_line():
            try:
                return super().invoke(ctx)
            except click.NoSuchOption as error:
                raise click.UsageError(_misplaced(error, self) or error.format_message()) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Read the settings, which the flags of some methods depend on, and find the method."""
        if ctx.resilient_parsing:
            ctx.obj = settings_of(ctx)
        else:
            _configure(ctx)
            if args[0] not in methods.METHODS:
                ctx.fail(_unknown(args[0]))
        return super().resolve_command(ctx, args)

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names of the methods."""
        return list(methods.METHODS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a method."""
        return methods.load(name, ctx)

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """List the methods without importing them."""
        with formatter.section("Methods"):
            formatter.write_dl([(name, method.help) for name, method in methods.METHODS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a method without importing any."""
        names = [name for name in methods.METHODS if name.startswith(incomplete)]
        items = [CompletionItem(name, help=methods.METHODS[name].help) for name in names]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]


def _configure(ctx: click.Context) -> None:
    """Read the settings, and let standard output and log lines be as they want it."""
    log.hold()
    ctx.obj = settings = settings_of(ctx)
    spell_out()
    level = "DEBUG" if settings.debug else settings.log_level
    log.configure(level, file=settings.log_file, stream=sys.stdout, form=settings.log_format)


def _unknown(name: str) -> str:
    """Return what to say about a method that does not exist."""
    close = difflib.get_close_matches(name, methods.METHODS)
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"No such method: {name}.{meant} There are {', '.join(methods.METHODS)}; --help describes them."


def _misplaced(error: click.NoSuchOption, group: click.Group) -> str | None:
    """Return what to say about an option behind the method that has its place before it."""
    name = error.option_name
    option = next((one for one in group.params if name in (*one.opts, *one.secondary_opts)), None)
    if not isinstance(option, click.Option) or error.ctx is None:
        return None
    written = name if option.is_flag else f"{name} …"
    method = error.ctx.info_name
    return f"No such option: {name}. It stands before the method: deepaas-cli {written} {method}."


def _options() -> list[click.Parameter]:
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
        *click_options(_SETTINGS),
    ]


@click.pass_context
def _metadata_without_method(ctx: click.Context, /, **_: object) -> None:
    """Call get_metadata when the command line names no method, as 2.6 does."""
    if ctx.invoked_subcommand is None:
        _configure(ctx)
        get_metadata = methods.load("get_metadata", ctx)
        assert get_metadata is not None
        ctx.invoke(get_metadata, is_named=False)


main = click.version_option(package_name="deepaas", message="%(version)s")(
    Methods(
        "deepaas-cli",
        params=_options(),
        callback=_metadata_without_method,
        invoke_without_command=True,
        subcommand_metavar="[METHOD [--ARGUMENT VALUE ...]]",
        help="Use a model without a server. Each METHOD has a --help of its own, with the model's arguments; "
        "without a METHOD, it is get_metadata.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
)
