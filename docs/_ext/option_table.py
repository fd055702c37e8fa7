"""The table of options, from `deepaas.settings`."""

from deepaas.settings import Option, options
from rows import code, codes, table


def markdown() -> str:
    """Return a row for each option: how it is set, what may be said, what it is when nothing is."""
    return table(
        ("flag", "environment", "key in a file", "values", "default", "what it does"), map(_row, options())
    )


def _row(row: Option) -> tuple[str, ...]:
    default = str(row.default).lower() if row.type is bool else str(row.default)
    return (_flags(row), codes(row.variables), code(row.key), row.expected, code(default), row.help)


def _flags(row: Option) -> str:
    if not row.flag:
        return "none: others on the machine can read flags"
    if row.type is bool:
        return codes((f"--{row.key}", f"--no{row.key}"))
    return codes((f"--{row.key}", *([row.short] if row.short else [])))
