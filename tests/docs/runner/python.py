"""The Python namespace of a page, in an interpreter of the page's environment."""

import json
import subprocess
from pathlib import Path
from typing import Self

from runner.reading import Block
from runner.shell import Shell
from support.server import END_S

_INTERPRETER = Path(__file__).with_name("interpreter.py")


class Python:
    """An interpreter, started by the first block in the current folder of the page's shell."""

    def __init__(self, shell: Shell, page: Path) -> None:
        self._shell = shell
        self._page = page
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.communicate(timeout=END_S)

    def run(self, block: Block) -> str:
        """Run a block or session; return an error message, or an empty string on success."""
        self._process = self._process or self._start()
        assert self._process.stdin
        assert self._process.stdout
        request = {
            "language": block.language,
            "source": block.source,
            "line": block.line,
            "page": str(self._page),
            "folder": self._shell.ask("pwd"),
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        return str(json.loads(answer)) if answer else "The block ended the interpreter."

    def _start(self) -> "subprocess.Popen[str]":
        folder, executable = self._shell.ask("pwd"), self._shell.ask("command -v python")
        return subprocess.Popen(
            [executable, str(_INTERPRETER)],
            cwd=folder,
            env=json.loads(
                self._shell.ask("python -c 'import json, os; print(json.dumps(dict(os.environ)))'")
            ),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
