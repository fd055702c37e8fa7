"""The table of errors, generated from `deepaas.errors`."""

import inspect

from deepaas import errors
from rows import code, table


def markdown() -> str:
    """Return a row for each error class: status, name and description."""
    rows = ((str(error.status), code(error.__name__), inspect.getdoc(error) or "") for error in classes())
    return table(("status", "class in `deepaas.errors`", "description"), rows)


def classes() -> list[type[errors.DeepaasError]]:
    """Return all error classes, sorted by status and name."""
    found = [error for error in vars(errors).values() if _is_error(error)]
    return sorted(found, key=lambda error: (error.status, error.__name__))


def _is_error(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, errors.DeepaasError)
