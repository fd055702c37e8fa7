"""Finds and imports models: installed entry points, modules, classes and Python files."""

import functools
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distributions, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from deepaas.errors import ModelLoadError, ModelNotFound
from deepaas.log import get_logger

ENTRY_POINT_GROUP = "deepaas.v2.model"
_log = get_logger(__name__)

_HOW_TO_DECLARE = f"""\
Declare one in your package's pyproject.toml and install the package:

    [project.entry-points."{ENTRY_POINT_GROUP}"]
    my_model = "package_name.module"

or serve a file or a module without a package: --model ./model.py or --model package_name.module:Class."""


def discover() -> dict[str, str]:
    """Return the targets of all installed models by model name; log and skip malformed entry points."""
    found = {}
    for point in sorted(_iterate_entry_points()):
        if point.pattern.match(point.value):
            found[point.name] = _get_target(point)
        else:
            _log.warning("%s; skipping this model", _describe_malformed(point))
    return found


def get_package_version(name: str) -> str | None:
    """Return the version of the package that declares the model, or `None` if no package does."""
    points = (point for point in _iterate_entry_points() if point.name == name)
    return next((point.dist.version for point in points if point.dist), None)


def _iterate_entry_points() -> Iterator[EntryPoint]:
    """Yield the model entry points of all packages; log and skip packages with an invalid file."""
    try:
        yield from entry_points(group=ENTRY_POINT_GROUP)
    except (TypeError, ValueError):  # importlib.metadata stops at the first file that it cannot parse
        for distribution in distributions():
            try:
                yield from distribution.entry_points.select(group=ENTRY_POINT_GROUP)
            except (TypeError, ValueError) as error:
                _log.warning(
                    "The entry points of the package %s cannot be read (%s); skipping them",
                    distribution.name,
                    error,
                )


def _describe_malformed(point: EntryPoint) -> str:
    package = f" of the package {point.dist.name}" if point.dist else ""
    return (
        f"The entry point '{point.name} = {point.value}'{package} is invalid: "
        "use module or module:object, for example 'my_package.model'"
    )


def select_models(name: str = "", target: str = "") -> dict[str, str]:
    """Return targets by model name: `target`, else the installed model `name`, else all installed models.

    Raise `ModelNotFound`, listing the installed models, if there is none.
    """
    if target:
        path, _ = _split_target(target)
        if _is_file_path(path) and not Path(path).is_file():
            raise ModelNotFound(f"There is no file {path}. Use a Python file, a module, or module:Class.")
        return {name or _derive_name(target): resolve_target_path(target)}
    installed = discover()
    if not installed:
        raise ModelNotFound(
            f"No model is installed in the entry point group '{ENTRY_POINT_GROUP}'.\n{_HOW_TO_DECLARE}"
        )
    if not name:
        return installed
    if name not in installed:
        raise ModelNotFound(
            f"No model is called '{name}'. Installed: {', '.join(installed)}. Choose one with --model-name.\n"
            f"{_HOW_TO_DECLARE}"
        )
    return {name: installed[name]}


def resolve_target_path(target: str) -> str:
    """Return `target` with an absolute path if it names a file; module names stay as they are.

    Symbolic links stay in the path: each process resolves them again, so that a link to a new release counts.
    """
    path, attribute = _split_target(target)
    return f"{Path(path).absolute()}{attribute and ':'}{attribute}" if _is_file_path(path) else target


def load(target: str) -> Any:
    """Import `target` and return the module or object; a class is instantiated without arguments.

    `target` is ``package.module``, ``package.module:Class`` or the path of a Python file, which may also be
    followed by ``:Class``. Raise `ModelLoadError`, with the traceback of the import.
    """
    path, attribute = _split_target(target)
    try:
        module = _import_file(Path(path).resolve()) if _is_file_path(path) else importlib.import_module(path)
        found = functools.reduce(getattr, attribute.split("."), module) if attribute else module
        return found() if inspect.isclass(found) else found
    except (Exception, SystemExit) as error:
        raise ModelLoadError(
            f"'{target}' could not be imported: {type(error).__name__}: {error}",
            detail=traceback.format_exc(),
        ) from error


def _get_target(point: EntryPoint) -> str:
    return f"{point.module}:{point.attr}" if point.attr else point.module


def _split_target(target: str) -> tuple[str, str]:
    path, _, attribute = target.partition(":")
    return path, attribute


def _is_file_path(path: str) -> bool:
    return path.endswith(".py") or "/" in path


def _derive_name(target: str) -> str:
    path, _ = _split_target(target)
    return Path(path).stem if _is_file_path(path) else path.rpartition(".")[2]


def _import_file(path: Path) -> ModuleType:
    """Import the file like a script: its folder comes first in `sys.path`."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    sys.path.insert(0, str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
