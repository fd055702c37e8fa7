"""Reads settings from flags, environment and files, in this order, and suggests names for misspelt ones."""

import configparser
import difflib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deepaas.config.settings import Option, OptionValue, Settings, list_options, parse_value
from deepaas.errors import SettingsError
from deepaas.log import get_logger

_log = get_logger(__name__)
_PREFIX = "DEEPAAS_"
_KEY_CUTOFF = 0.8
_ENV_VAR_CUTOFF = 0.9


class _SourcedValue(NamedTuple):
    """A value somebody gave, and where, for the message if it is wrong."""

    value: object
    source: str


def load_settings(
    flags: Mapping[str, object],
    *,
    environ: Mapping[str, str],
    config_files: Sequence[Path] = (),
    config_dirs: Sequence[Path] = (),
) -> Settings:
    """Return the settings; `flags` holds only what was given on the command line, as text or typed.

    Directories are read after files, and later ones win. Where neither is named, the first default place that
    exists is read. SettingsError: a named file is missing or cannot be parsed, or a value is wrong.
    """
    if config_files or config_dirs:
        paths = [*config_files, *itertools.chain.from_iterable(map(_list_config_files, config_dirs))]
    else:
        paths = list(itertools.islice(filter(_is_readable, get_default_config_files(environ)), 1))
    given = dict(_read_files(paths)) | dict(_read_environ(environ)) | _read_flags(flags)
    table = {one.name: one for one in list_options()}
    values: dict[str, Any] = {name: _parse_sourced_value(table[name], *pair) for name, pair in given.items()}
    return Settings(**values)


def get_default_config_files(environ: Mapping[str, str]) -> list[Path]:
    """Return where a config file is looked for, first place first."""
    below = ("deepaas/deepaas.conf", "deepaas.conf")
    home = environ.get("HOME")
    at_home = [Path(home, ".deepaas", "deepaas.conf"), Path(home, "deepaas.conf")] if home else []
    return at_home + [Path("/etc", name) for name in below]


def _parse_sourced_value(row: Option, value: object, source: str) -> OptionValue:
    """Parse a value; the error names its source, its key, the value and what would be right."""
    try:
        return parse_value(row, value)
    except ValueError as error:
        raise SettingsError(f"{source}: {row.cli_name} is {value!r}, expected {error}.") from error


def _read_flags(flags: Mapping[str, object]) -> dict[str, _SourcedValue]:
    """Return what the command line gave."""
    return {name: _SourcedValue(value, "On the command line") for name, value in flags.items()}


def _read_environ(environ: Mapping[str, str]) -> Iterator[tuple[str, _SourcedValue]]:
    """Yield what the environment gives; an empty variable is as good as none.

    One that is nearly an option's gets a log line; any other may be somebody else's.
    """
    known = [variable for row in list_options() for variable in row.env_vars]
    for name in filter(environ.get, environ):
        if name.startswith(_PREFIX) and name not in known:
            meant = _suggest_names([name], known, _ENV_VAR_CUTOFF)
            if meant:
                _log.warning("In the environment: unknown variable %s, ignored.%s", name, meant)
    for row in list_options():
        variable = next(filter(environ.get, row.env_vars), None)
        if variable is not None:
            yield row.name, _SourcedValue(environ[variable], f"In the environment variable {variable}")


def _read_files(paths: Iterable[Path]) -> Iterator[tuple[str, _SourcedValue]]:
    """Yield what the files give, in their order; what no option is called gets one log line a file."""
    known = {row.name: row.cli_name for row in list_options()}
    for path in paths:
        parser, spelled = _parse_file(path)
        found = parser.defaults()
        strange = [spelled[key] for key in found if key not in known]
        unknown = [*strange, *(f"[{name}]" for name in parser.sections())]
        if unknown:
            meant = _suggest_names(map(_to_cli_name, strange), known.values(), _KEY_CUTOFF)
            _log.warning("%s: unknown option %s, ignored%s", path, ", ".join(unknown), meant and f".{meant}")
        for key in known.keys() & found:
            yield key, _SourcedValue(_unquote(found[key]), f"In {path}")


def _suggest_names(names: Iterable[str], known: Iterable[str], cutoff: float) -> str:
    """Return the question whether those of `known` were meant that names are close to, or nothing."""
    known = list(known)
    close = [found for name in names for found in difflib.get_close_matches(name, known, 1, cutoff)]
    return f" Did you mean {', '.join(dict.fromkeys(close))}?" if close else ""


def _parse_file(path: Path) -> tuple[configparser.ConfigParser, dict[str, str]]:
    """Return the file's sections, with keys spelled as the table does, and how the file spells each."""
    spelled: dict[str, str] = {}

    def note(key: str) -> str:
        spelled[_to_option_name(key)] = key.strip()
        return _to_option_name(key)

    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = note  # type: ignore[method-assign,assignment] # configparser's documented way
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"), source=str(path))
    except OSError as error:
        raise SettingsError(f"The config file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"The config file {path} cannot be read: it is not UTF-8 text.") from error
    except configparser.Error as error:
        reason = " ".join(str(error).split())
        raise SettingsError(
            f"The config file {path} cannot be parsed: {reason}; expected [DEFAULT], then lines key = value."
        ) from error
    return parser, spelled


def _to_option_name(key: str) -> str:
    """Return an option's name from a file's spelling of it."""
    return key.strip().lower().replace("-", "_")


def _to_cli_name(text: str) -> str:
    """Return what is spelled as a key in the table's spelling of keys."""
    return _to_option_name(text).replace("_", "-")


def _unquote(text: str) -> str:
    """Return the text without the pair of quotes around it, if there is one."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def _is_readable(path: Path) -> bool:
    """Tell whether a default place has a file; a home directory that is closed to us has none."""
    return os.access(path, os.R_OK) and path.is_file()


def _list_config_files(folder: Path) -> list[Path]:
    """Return a config directory's files in the order they are read."""
    if not folder.is_dir():
        raise SettingsError(f"The config directory {folder} does not exist.")
    return sorted(folder.glob("*.conf"))
