"""Parses a page: its blocks, and the commands in a block."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sybil import Document, Region
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

_INFO = re.compile(
    r"[ \t]*(?P<directive>\{code-block\}[ \t]+)?(?P<language>[\w.+-]*)[ \t]*$\n"
    r"(?P<options>(?:[ \t]*:[\w-]+:[^\n]*\n)*)",
    re.MULTILINE,
)
_OPTION = re.compile(r":([\w-]+):[ \t]*(.*)")
_COMMENTS = re.compile(r"((?:<!--[^\n]*-->[ \t]*\n\s*)+)\Z")
_COMMENT = re.compile(r"<!--\s*(\w+):\s*(.*?)\s*-->")


class Block(NamedTuple):
    """A block of code; its source starts at `line`.

    `file` is the name of the file to write, if any. `exit` is the expected exit status of a session's
    commands. A block with `elsewhere` is for another machine and is not run.
    """

    language: str
    source: str
    line: int
    file: str
    exit: int
    elsewhere: bool


class Command(NamedTuple):
    """A command of a session, and the output that the page shows, which may be empty."""

    text: str
    expected: str
    line: int


def blocks(document: Document) -> Iterable[Region]:
    """Yield a region for each block, `parsed` as a `Block`. This is a parser for Sybil."""
    for region in RawFencedCodeBlockLexer(_INFO)(document):
        region.parsed = _block(document, region)
        yield region


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a session. Raise ValueError if it does not start with one."""
    text, expected, line = "", "", 0
    for number, said in enumerate(block.source.splitlines(), block.line):
        if said.startswith("$ "):
            if text:
                yield Command(text, expected, line)
            text, expected, line = said[2:], "", number
        elif not text:
            raise ValueError(f"line {number}: a session begins with '$ ', not with {said!r}")
        elif said.startswith(">") and not expected:
            text += f"\n{said[2:]}"
        else:
            expected += f"{said}\n"
    if text:
        yield Command(text, expected, line)


def is_shown(expected: str, actual: str) -> bool:
    """Return whether the output matches. ``...`` stands for any text, or for any lines if it is alone."""
    pattern = "".join(map(_pattern, expected.strip("\n").splitlines()))
    lines = [line.rstrip() for line in actual.strip("\n").splitlines()]
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


def _pattern(line: str) -> str:
    if line.strip() == "...":
        return r"(?:.*\n)*?"
    return ".*?".join(map(re.escape, line.rstrip().split("..."))) + r"\n"


def _block(document: Document, region: Region) -> Block:
    options = _said_before(document.text[: region.start])
    if region.lexemes["directive"]:
        options |= dict(_OPTION.findall(region.lexemes["options"]))
    source = region.lexemes["source"].strip_leading_newlines()
    begins = region.start + source.offset
    return Block(
        language=region.lexemes["language"],
        source=str(source),
        line=document.text.count("\n", 0, begins) + 1,
        file=options.get("caption", options.get("file", "")),
        exit=int(options.get("exit", 0)),
        elsewhere="elsewhere" in options.get("class", "").split(),
    )


def _said_before(text: str) -> dict[str, str]:
    """Return options in comments before a block: ``<!-- exit: 2 -->``, ``<!-- file: model.py -->``."""
    found = _COMMENTS.search(text)
    return dict(_COMMENT.findall(found[1])) if found else {}
