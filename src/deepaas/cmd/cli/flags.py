"""Owns how a model's fields become flags: their spelling, type, help and completion.

Must not know what is done with the values: they are texts until the fields validate them.
"""

from collections.abc import Iterator
from typing import NamedTuple

import click
import marshmallow
from click.shell_completion import CompletionItem
from marshmallow import fields, validate
from marshmallow.fields import Field

from deepaas.model.arguments import Arguments, choices_of, documented_choices, is_file, is_multiple

_WORDS = (
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
    """The text of an argument, whose field judges it later; it knows how a shell completes it."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.name = word_of(field)

    def shell_complete(self, _: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete choices; let the shell complete files."""
        if is_file(self.field):
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(choice) for choice in _suggested(self.field) if choice.startswith(incomplete)]


class ArgumentFlag(click.Option):
    """The flag of one argument, named exactly like it; `key` is the name that requests use."""

    def __init__(self, number: int, name: str, field: Field) -> None:
        super().__init__(
            [f"argument_{number}", "--argument"],
            type=ArgumentType(field),
            multiple=is_multiple(field),
            required=field.required,
            help=help_of(field),
            metavar=word_of(field),
        )
        self.field = field
        self.key = field.data_key or name
        # As they are: click would take some characters for its own.
        self.opts = list(dict.fromkeys([f"--{self.key}", f"--{name}"]))


class Texts(NamedTuple):
    """What the command line says of one argument: as many texts as its flag was given."""

    flag: ArgumentFlag
    values: list[str]


def flags_of(arguments: Arguments) -> list[ArgumentFlag]:
    """Return the flags of a function's arguments."""
    named = arguments.fields.items()
    return [ArgumentFlag(number, name, field) for number, (name, field) in enumerate(named)]


def texts_of(flags: list[ArgumentFlag], ctx: click.Context) -> dict[str, Texts]:
    """Return what was given for each argument, by its key."""
    found = {}
    for flag in flags:
        value = ctx.params[flag.name or ""]
        if value is not None and value != ():
            found[flag.key] = Texts(flag, list(value) if flag.multiple else [value])
    return found


def word_of(field: Field) -> str:
    """Return the word for the field's type."""
    if is_file(field):
        return "PATH"
    if is_multiple(field):
        return "LIST"
    return next((word for kind, word in _WORDS if isinstance(field, kind)), "TEXT")


def help_of(field: Field) -> str:
    """Return the author's description, and what values the field takes."""
    description = str(field.metadata.get("description") or "")
    more = "; ".join(_remarks(field))
    return f"{description} [{more}]".lstrip() if more else description


def _remarks(field: Field) -> Iterator[str]:
    suggested = _suggested(field)
    if suggested:
        yield f"one of {', '.join(suggested)}"
    for validator in field.validators:
        if isinstance(validator, validate.Range):
            yield from _bounds(validator)
    if is_multiple(field) and not is_file(field):
        yield 'as "[1, 2]", or the flag several times'
    if word_of(field) == "DICT":
        yield """as "{'a': 1}\""""
    default = field.load_default
    if default is not marshmallow.missing and not callable(default):
        yield f"default: {default}"


def _bounds(allowed: validate.Range) -> Iterator[str]:
    if allowed.min is not None:
        yield f"{'at least' if allowed.min_inclusive else 'more than'} {allowed.min}"
    if allowed.max is not None:
        yield f"{'at most' if allowed.max_inclusive else 'less than'} {allowed.max}"


def _suggested(field: Field) -> list[str]:
    """Return the choices that the field enforces, or those that it only documents."""
    found = choices_of(field) or documented_choices(field)
    return [str(choice) for choice in found] or (["true", "false"] if isinstance(field, fields.Bool) else [])
