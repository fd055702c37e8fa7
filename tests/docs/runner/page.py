"""Runs a page block by block in a separate folder. `Page` is an evaluator for Sybil."""

import contextlib
import json
import os
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import yaml
from sybil import Document, Example

from runner.mapping import replace_commands
from runner.python import Python
from runner.reading import Block, Command, blocks, commands, is_shown
from runner.servers import Servers, serves
from runner.shell import Shell
from support.python_environment import make_environment

CHECKOUT = Path(__file__).parents[3]
_QUIET = "silent\nshow-error\n"
_ENDS_SERVER = "kill %1"
_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "ini": lambda text: ConfigParser(interpolation=None).read_string(text),
    "yaml": lambda text: list(yaml.safe_load_all(text)),
}
_NEVER_RUN = ("text",)


def read(path: Path) -> Document:
    """Return a page with its blocks."""
    return Document.parse(str(path), blocks)


def run(path: Path, folder: Path) -> None:
    """Run all blocks of a page. Raise `SybilFailure`, with the location, at the first error."""
    with _begun(path, folder) as page:
        for example in read(path).examples():
            example.document.evaluate(example, page)


class Page:
    """A page in progress."""

    def __init__(self, folder: Path, shell: Shell, servers: Servers, python: Python) -> None:
        self._folder = folder
        self._shell = shell
        self._servers = servers
        self._python = python

    def __call__(self, example: Example) -> str:
        """Run a block; return an error message, or an empty string on success."""
        block: Block = example.parsed
        try:
            return self._do(block)
        except (AssertionError, ValueError, yaml.YAMLError) as error:
            return f"line {block.line}: {error}"

    def _do(self, block: Block) -> str:
        if block.language == "console" and not block.file:
            return self._check_syntax(block) if block.elsewhere else self._session(block)
        block = block._replace(source=self._servers.as_typed(block.source))
        if block.file:
            return self._write(block)
        if block.language in ("python", "pycon"):
            return self._python.run(block)
        if block.language in _PARSERS:
            _PARSERS[block.language](block.source)
            return ""
        if block.language in _NEVER_RUN:
            return ""
        return f"Cannot run a block of {block.language or 'no language'}; use 'text' to skip it."

    def _write(self, block: Block) -> str:
        path = (self._folder / block.file).resolve()
        if not path.is_relative_to(self._folder):
            return f"{block.file} is not in the page's folder."
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.source)
        return ""

    def _session(self, block: Block) -> str:
        for command in commands(block):
            wrong = self._command(command, block.exit)
            if wrong:
                return f"line {command.line}: $ {command.text}\n{wrong}"
        return ""

    def _command(self, command: Command, status: int) -> str:
        if command.text == _ENDS_SERVER:
            self._servers.stop_last()
            return ""
        text = replace_commands(self._servers.as_typed(command.text))
        if serves(text) and not status:
            self._servers.begin(text, command.expected)
            return ""
        ended = self._shell.run(_to_its_end(text, strict=not command.expected))
        output = self._servers.as_shown(ended.output)
        if ended.status != status:
            return f"It exited with {ended.status}, expected {status}. Its output:\n{output}"
        if command.expected and not is_shown(command.expected, output):
            return f"Expected:\n{command.expected}Actual:\n{output}"
        return ""

    def _check_syntax(self, block: Block) -> str:
        for command in commands(block):
            checked = subprocess.run(
                ["bash", "-n"], input=command.text, text=True, capture_output=True, check=False
            )
            if checked.returncode:
                return f"line {command.line}: {checked.stderr}"
        return ""


def _to_its_end(text: str, *, strict: bool) -> str:
    """Return a command for the shell; if `strict`, curl fails on error responses."""
    if not strict:
        return text
    return f"export CURL_HOME=$STRICT_CURL\n{text}\n{{ set -- $?; unset CURL_HOME; (exit $1); }} 2>/dev/null"


@contextlib.contextmanager
def _begun(path: Path, scratch: Path) -> Iterator[Page]:
    """Create a page's folder, environment, shell and interpreter; close all of them afterwards."""
    folder, logs = scratch / "page", scratch / "logs"
    for made in (folder, logs):
        made.mkdir()
    with contextlib.ExitStack() as stack:
        shell = stack.enter_context(Shell(folder, logs, _environment(scratch)))
        servers = stack.enter_context(Servers(shell))
        python = stack.enter_context(Python(shell, path))
        yield Page(folder.resolve(), shell, servers, python)


def _environment(scratch: Path) -> dict[str, str]:
    """Return the initial environment variables of a page."""
    commands = make_environment(scratch / "environment")
    home = scratch / "home"
    for name, more in (("home", ""), ("strict", "fail-with-body\n")):
        (scratch / name).mkdir()
        (scratch / name / ".curlrc").write_text(_QUIET + more)
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("DEEPAAS_", "PYTHON", "PYTEST_"))
    }
    return kept | {
        "PATH": f"{commands}{os.pathsep}{kept['PATH']}",
        "HOME": str(home),
        "STRICT_CURL": str(scratch / "strict"),
        "DEEPAAS": str(CHECKOUT),
        "DEEPAAS_LISTEN_PORT": "0",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # disables it: https://github.com/pypa/pip/issues/5735
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
    }
