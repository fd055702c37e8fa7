"""Turns the table of options into a click command: flags, help and error messages."""

import functools
import os
from collections.abc import Callable, Collection
from pathlib import Path

import click
from click.core import ParameterSource

from deepaas import log
from deepaas.config import sources
from deepaas.config.settings import Option, OptionValue, Settings, list_options, parse_value
from deepaas.errors import SettingsError

SettingsCallback = Callable[[Settings], None]


class SettingsOption(click.Option):
    """A flag of the table, which parses its value like the same value in a file or in the environment."""

    def __init__(self, row: Option) -> None:
        super().__init__(
            [row.name, *_get_flag_spellings(row)],
            type=bool if row.type is bool else str,
            default=row.default,
            metavar=row.metavar or "|".join(row.choices) or row.type.__name__.upper(),
            help=_format_help(row),
        )
        self.row = row

    def type_cast_value(self, ctx: click.Context, value: object) -> OptionValue:
        """Return the value, or raise `BadParameter` with the expected format."""
        try:
            return parse_value(self.row, value)
        except ValueError as error:
            raise click.BadParameter(f"it is {value!r}, expected {error}.", ctx, self) from error


class SettingsCommand(click.Command):
    """A command with its options in groups; its error for an unknown option suggests similar ones."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section for each group, then one for the other options."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            group = param.row.group if isinstance(param, SettingsOption) else "Other options"
            if record:
                groups.setdefault(group, []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                formatter.write_dl(records)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the flags. Raise `UsageError` for an unknown one, with similar options or else all."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise click.UsageError(_format_unknown_option(error, self), ctx) from error


class InvalidSettings(click.ClickException):
    """Prints invalid settings as one line and exits with 2."""

    exit_code = 2


def command(name: str) -> Callable[[SettingsCallback], click.Command]:
    """Return a decorator that turns a function of `Settings` into a command; its docstring is the help.

    Log lines are buffered until the function calls `log.configure`.
    """
    return functools.partial(_build_command, name)


def build_click_options(names: Collection[str] | None = None) -> list[click.Parameter]:
    """Return the click options of the table, or only of `names`, and those for config files."""
    rows = [row for row in list_options() if row.has_flag and (names is None or row.name in names)]
    return [*map(SettingsOption, rows), *_build_config_options()]


def load_settings(ctx: click.Context) -> Settings:
    """Return the settings from the command line of `ctx`, the environment and config files, in this order.

    Raise `SettingsError` for a config file that cannot be read, and for an invalid value. It names the file
    or the variable, which click's `default_map` and `envvar` would not do.
    """
    known = {row.name for row in list_options()}
    return sources.load_settings(
        {
            name: value
            for name, value in ctx.params.items()
            if name in known and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        },
        environ=os.environ,
        config_files=ctx.params["config_files"],
        config_dirs=ctx.params["config_dirs"],
    )


def _build_command(name: str, run: SettingsCallback) -> click.Command:
    made = SettingsCommand(
        name,
        params=build_click_options(),
        callback=functools.partial(_read_and_run, run),
        help=run.__doc__,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    return click.version_option(package_name="deepaas", message="%(version)s")(made)


def _read_and_run(run: SettingsCallback, **_: object) -> None:
    log.buffer_until_configured()
    try:
        run(load_settings(click.get_current_context()))
    except SettingsError as error:
        raise InvalidSettings(error.message) from error


def _get_flag_spellings(row: Option) -> list[str]:
    """Return the flags: `--warm/--nowarm`, or `-p` and `--workers`."""
    if row.type is bool:
        return [f"--{row.cli_name}/--no{row.cli_name}"]
    return [*([row.short] if row.short else []), f"--{row.cli_name}"]


def _format_help(row: Option) -> str:
    """Return the help with the environment variables and the default."""
    default = str(row.default).lower() if row.type is bool else str(row.default)
    return f"{row.help} [environment: {', '.join(row.env_vars)}; default: {default or 'none'}]"


def _build_config_options() -> list[click.Option]:
    """Return the options for config files, which are not settings themselves."""
    build_option = functools.partial(click.Option, type=click.Path(path_type=Path), multiple=True)
    places = ", ".join(map(str, sources.get_default_config_files({"HOME": "~"})))
    return [
        build_option(
            ["config_files", "--config-file"],
            help=f"Config file; repeatable, the last one wins. [default: first of {places}]",
        ),
        build_option(
            ["config_dirs", "--config-dir"],
            help="Folder whose *.conf files are read in sorted order, after --config-file; repeatable.",
        ),
    ]


def _format_unknown_option(error: click.NoSuchOption, click_command: click.Command) -> str:
    if error.possibilities:
        meant = " or ".join(error.possibilities)
        return f"No such option: {error.option_name}. Did you mean {meant}? See --help."
    names = [name for param in click_command.params for name in (*param.opts, *param.secondary_opts)]
    return f"No such option: {error.option_name}. There are {', '.join(names)}; --help describes them."
