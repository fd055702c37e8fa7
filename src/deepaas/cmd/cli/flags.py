"""Builds the flags of a model's arguments: spelling, type, help and completion."""

from collections.abc import Iterator
from typing import NamedTuple

import click
import marshmallow
from click.shell_completion import CompletionItem
from marshmallow import fields, validate
from marshmallow.fields import Field

from deepaas.model.arguments import Arguments
from deepaas.model.fields import accepts_many, get_documented_choices, get_field_choices, is_file

_METAVARS = (
    (fields.Bool, "BOOLEAN"),
    (fields.Int, "INTEGER"),
    (fields.Number, "NUMBER"),
    (fields.Date, "DATE"),
    (fields.DateTime, "DATETIME"),
    (fields.UUID, "UUID"),
    (fields.Url, "URL"),
    (fields.Dict, "DICT"),
    (fields.Nested, "DICT"),
)


class ArgumentType(click.ParamType):  # type: ignore[type-arg] # generic in newer versions of click only
    """The text of an argument, with shell completion; its field validates the text later."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.name = get_metavar(field)

    def shell_complete(self, _: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete choices, and leave files to the shell."""
        if is_file(self.field):
            return [CompletionItem(incomplete, type="file")]
        return [
            CompletionItem(choice) for choice in _get_suggestions(self.field) if choice.startswith(incomplete)
        ]


class ArgumentFlag(click.Option):
    """The flag of one argument, spelled exactly like its name and its `key`, the name in requests."""

    def __init__(self, number: int, name: str, field: Field) -> None:
        super().__init__(
            [f"argument_{number}", "--argument"],
            type=ArgumentType(field),
            multiple=accepts_many(field),
            required=field.required,
            help=format_argument_help(field),
            metavar=get_metavar(field),
        )
        self.field = field
        self.key = field.data_key or name
        # Set directly, because click would interpret some characters of the names.
        self.opts = list(dict.fromkeys([f"--{self.key}", f"--{name}"]))


class FlagValues(NamedTuple):
    """The values of one argument on the command line, one for each occurrence of its flag."""

    flag: ArgumentFlag
    values: list[str]


def build_flags(arguments: Arguments) -> list[ArgumentFlag]:
    """Return the flags of a function's arguments."""
    named = arguments.fields.items()
    return [ArgumentFlag(number, name, field) for number, (name, field) in enumerate(named)]


def collect_flag_values(flags: list[ArgumentFlag], ctx: click.Context) -> dict[str, FlagValues]:
    """Return the values of the arguments on the command line, by their keys."""
    collected = {}
    for flag in flags:
        value = ctx.params[flag.name or ""]
        if value is not None and value != ():
            collected[flag.key] = FlagValues(flag, list(value) if flag.multiple else [value])
    return collected


def get_metavar(field: Field) -> str:
    """Return the placeholder for the field's type in the help."""
    if is_file(field):
        return "PATH"
    if accepts_many(field):
        return "LIST"
    return next((word for kind, word in _METAVARS if isinstance(field, kind)), "TEXT")


def format_argument_help(field: Field) -> str:
    """Return the field's description, followed by its choices, bounds, syntax and default."""
    description = str(field.metadata.get("description") or "")
    more = "; ".join(_describe_values(field))
    return f"{description} [{more}]".lstrip() if more else description


def _describe_values(field: Field) -> Iterator[str]:
    suggested = _get_suggestions(field)
    if suggested:
        yield f"one of {', '.join(suggested)}"
    for validator in field.validators:
        if isinstance(validator, validate.Range):
            yield from _describe_bounds(validator)
    if accepts_many(field) and not is_file(field):
        yield 'as "[1, 2]", or repeat the flag'
    if get_metavar(field) == "DICT":
        yield """as "{'a': 1}\""""
    default = field.load_default
    if default is not marshmallow.missing and not callable(default):
        yield f"default: {default}"


def _describe_bounds(value_range: validate.Range) -> Iterator[str]:
    if value_range.min is not None:
        yield f"{'at least' if value_range.min_inclusive else 'more than'} {value_range.min}"
    if value_range.max is not None:
        yield f"{'at most' if value_range.max_inclusive else 'less than'} {value_range.max}"


def _get_suggestions(field: Field) -> list[str]:
    """Return the field's validated choices, else the documented ones."""
    choices = get_field_choices(field) or get_documented_choices(field)
    return list(map(str, choices)) or (["true", "false"] if isinstance(field, fields.Bool) else [])
