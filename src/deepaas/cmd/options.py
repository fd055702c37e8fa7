"""Owns how the table of options becomes a command: its flags, its help and its errors."""

import difflib
import functools
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from deepaas import log
from deepaas.config import settings, sources
from deepaas.config.settings import Settings
from deepaas.errors import SettingsError

SettingsCallback = Callable[[Settings], None]


class SettingsType(click.ParamType):  # type: ignore[type-arg] # generic in newer versions of click only
    """Reads a flag's value exactly as the same value in a file or in the environment is read."""

    def __init__(self, row: settings.Option) -> None:
        self.row = row
        self.name = row.type.__name__

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> settings.OptionValue:
        """Return the value, or leave with words that say what would be right."""
        try:
            return settings.parse_value(self.row, value)
        except ValueError as error:
            self.fail(f"it is {value!r}, expected {error}.", param, ctx)


class SettingsCommand(click.Command):
    """A command that answers an unknown option with the ones there are."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the flags; UsageError names close matches and every option."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise click.UsageError(_format_unknown_option(error, self), ctx) from error


class InvalidSettings(click.ClickException):
    """Prints what is wrong with the settings as one line and exits with 2."""

    exit_code = 2


def command(name: str) -> Callable[[SettingsCallback], click.Command]:
    """Return a decorator that makes a function of `Settings` the command `name`; its docstring is the help.

    Log lines are held until the function calls `log.configure`.
    """
    return functools.partial(_build_command, name)


def build_click_options(names: Collection[str] | None = None) -> list[click.Parameter]:
    """Return the click options of the table, or of `names` in it, then those that name config files."""
    rows = [row for row in settings.list_options() if row.has_flag and (names is None or row.name in names)]
    return [*map(_build_option, rows), *_build_config_options()]


def load_settings(ctx: click.Context) -> Settings:
    """Return the settings of all sources, the flags that `ctx` has on its command line first.

    SettingsError: a config file cannot be read, or a value is wrong.
    """
    known = {row.name for row in settings.list_options()}
    return sources.load_settings(
        {name: value for name, value in _get_command_line_flags(ctx).items() if name in known},
        environ=os.environ,
        config_files=ctx.params["config_files"],
        config_dirs=ctx.params["config_dirs"],
    )


def _build_command(name: str, run: SettingsCallback) -> click.Command:
    """Return the command that calls `run` with the settings."""
    made = SettingsCommand(
        name,
        params=build_click_options(),
        callback=functools.partial(_read_and_run, run),
        help=run.__doc__,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    return click.version_option(package_name="deepaas", message="%(version)s")(made)


def _read_and_run(run: SettingsCallback, **_: object) -> None:
    """Call `run` with the settings of all sources, flags first."""
    log.buffer_until_configured()
    try:
        run(load_settings(click.get_current_context()))
    except SettingsError as error:
        raise InvalidSettings(error.message) from error


def _get_command_line_flags(ctx: click.Context) -> dict[str, object]:
    """Return the flags that stand on the command line."""
    source = ctx.get_parameter_source
    return {name: value for name, value in ctx.params.items() if source(name) is ParameterSource.COMMANDLINE}


def _build_option(row: settings.Option) -> click.Option:
    """Return the click option of one row of the table."""
    return click.Option(
        [row.name, *_get_flag_spellings(row)], help=_format_help(row), **_get_type_options(row)
    )


def _get_flag_spellings(row: settings.Option) -> list[str]:
    """Return how the option is written: `--warm/--nowarm`, or `-p` and `--workers`."""
    if row.type is bool:
        return [f"--{row.cli_name}/--no{row.cli_name}"]
    return [*([row.short] if row.short else []), f"--{row.cli_name}"]


def _get_type_options(row: settings.Option) -> dict[str, Any]:
    """Return what click has to know about the option's values."""
    if row.type is bool:
        return {"default": row.default}
    return {
        "type": SettingsType(row),
        "metavar": row.metavar or "|".join(row.choices) or row.type.__name__.upper(),
    }


def _format_help(row: settings.Option) -> str:
    """Return the help with what the option is without the flag."""
    default = str(row.default).lower() if row.type is bool else str(row.default)
    return f"{row.help} [environment: {', '.join(row.env_vars)}; default: {default or 'none'}]"


def _build_config_options() -> list[click.Option]:
    """Return the options that name config files; they are not settings themselves."""
    path = click.Path(path_type=Path)
    places = ", ".join(map(str, sources.get_default_config_files({"HOME": "~"})))
    return [
        click.Option(
            ["config_files", "--config-file"],
            type=path,
            multiple=True,
            help=f"Config file; may be given several times, later ones win. [default: first of {places}]",
        ),
        click.Option(
            ["config_dirs", "--config-dir"],
            type=path,
            multiple=True,
            help="Directory whose *.conf files are read in sorted order, after config files.",
        ),
    ]


def _format_unknown_option(error: click.NoSuchOption, click_command: click.Command) -> str:
    """Return what to say about an option that does not exist."""
    names = [name for param in click_command.params for name in (*param.opts, *param.secondary_opts)]
    close = difflib.get_close_matches(error.option_name, names)
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"No such option: {error.option_name}.{meant} There are {', '.join(names)}; --help describes them."
