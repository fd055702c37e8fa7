"""Reads settings from flags, environment and files (in this precedence), and suggests corrections."""

import configparser
import difflib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deepaas.config.settings import Option, Settings, list_options, parse_value
from deepaas.errors import SettingsError
from deepaas.log import get_logger

_log = get_logger(__name__)
_PREFIX = "DEEPAAS_"
_KEY_CUTOFF = 0.8
_ENV_VAR_CUTOFF = 0.9


class _SourcedText(NamedTuple):
    """The text of an option, and its source for error messages."""

    text: str
    source: str


def load_settings(
    flags: Mapping[str, Any],
    *,
    environ: Mapping[str, str],
    config_files: Sequence[Path] = (),
    config_dirs: Sequence[Path] = (),
) -> Settings:
    """Return the settings. `flags` has the values of the options on the command line, and no others.

    Directories are read after files; later files override earlier ones. If neither is named, the first
    existing default file is read. Raise `SettingsError` if a named file is missing or cannot be parsed, or
    if a value is invalid.
    """
    if config_files or config_dirs:
        paths = [*config_files, *itertools.chain.from_iterable(map(_list_config_files, config_dirs))]
    else:
        paths = list(itertools.islice(filter(_is_readable, get_default_config_files(environ)), 1))
    sourced = dict(_read_files(paths)) | dict(_read_environ(environ))
    values = {
        option.name: _parse_sourced_text(option, *sourced[option.name])
        for option in list_options()
        if option.name in sourced and option.name not in flags
    }
    return Settings(**values, **flags)


def get_default_config_files(environ: Mapping[str, str]) -> list[Path]:
    """Return the default paths of the config file, in the order of the search."""
    below = ("deepaas/deepaas.conf", "deepaas.conf")
    home = environ.get("HOME")
    at_home = [Path(home, ".deepaas", "deepaas.conf"), Path(home, "deepaas.conf")] if home else []
    return at_home + [Path("/etc", name) for name in below]


def _parse_sourced_text(option: Option, text: str, source: str) -> Any:
    try:
        return parse_value(option, text)
    except ValueError as error:
        raise SettingsError(f"{source}: {option.cli_name} is {text!r}, expected {error}.") from error


def _read_environ(environ: Mapping[str, str]) -> Iterator[tuple[str, _SourcedText]]:
    """Yield the values of the environment variables; empty variables are ignored.

    Log an unknown variable only if its name is close to an option's: others may belong to other programs.
    """
    known = [variable for option in list_options() for variable in option.env_vars]
    for name in filter(environ.get, environ):
        if name.startswith(_PREFIX) and name not in known:
            suggestion = _suggest_names([name], known, _ENV_VAR_CUTOFF)
            if suggestion:
                _log.warning("In the environment: unknown variable %s, ignored.%s", name, suggestion)
    for option in list_options():
        variable = next(filter(environ.get, option.env_vars), None)
        if variable is not None:
            yield option.name, _SourcedText(environ[variable], f"In the environment variable {variable}")


def _read_files(paths: Iterable[Path]) -> Iterator[tuple[str, _SourcedText]]:
    """Yield the values of the files, in their order; log the unknown keys of each file in one line."""
    known = {option.name: option.cli_name for option in list_options()}
    for path in paths:
        parser, spellings = _parse_file(path)
        values = parser.defaults()
        unknown_keys = [spellings[key] for key in values if key not in known]
        unknown = [*unknown_keys, *(f"[{name}]" for name in parser.sections())]
        if unknown:
            suggestion = _suggest_names(map(_to_cli_name, unknown_keys), known.values(), _KEY_CUTOFF)
            ending = suggestion and f".{suggestion}"
            _log.warning("%s: unknown option %s, ignored%s", path, ", ".join(unknown), ending)
        for key in known.keys() & values:
            yield key, _SourcedText(_unquote(values[key]), f"In {path}")


def _suggest_names(names: Iterable[str], known: Iterable[str], cutoff: float) -> str:
    """Return " Did you mean …?" with the known names that are close to `names`, or an empty string."""
    known = list(known)
    close = [match for name in names for match in difflib.get_close_matches(name, known, 1, cutoff)]
    return f" Did you mean {', '.join(dict.fromkeys(close))}?" if close else ""


def _parse_file(path: Path) -> tuple[configparser.ConfigParser, dict[str, str]]:
    """Return the file's sections, with option names as keys, and the file's spelling of each key."""
    spellings: dict[str, str] = {}

    def normalize_key(key: str) -> str:
        spellings[_to_option_name(key)] = key.strip()
        return _to_option_name(key)

    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = normalize_key  # type: ignore[method-assign,assignment] # as configparser documents
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
    return parser, spellings


def _to_option_name(key: str) -> str:
    return key.strip().lower().replace("-", "_")


def _to_cli_name(text: str) -> str:
    return _to_option_name(text).replace("_", "-")


def _unquote(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def _is_readable(path: Path) -> bool:
    """Return whether a default config file can be read; a private home directory counts as none."""
    return os.access(path, os.R_OK) and path.is_file()


def _list_config_files(folder: Path) -> list[Path]:
    """Return a config directory's files in the order in which they are read."""
    if not folder.is_dir():
        raise SettingsError(f"The config directory {folder} does not exist.")
    return sorted(folder.glob("*.conf"))
