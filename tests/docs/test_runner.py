"""The runner of documentation pages detects errors and reports their location."""

from pathlib import Path

import pytest
from sybil.example import SybilFailure

from runner import page
from runner.reading import is_shown
from runner.servers import serves


def said_of(text: str, folder: Path) -> str:
    """Return the runner's error message for a page with a mistake."""
    path = folder / "page.md"
    path.write_text(text)
    with pytest.raises(SybilFailure) as caught:
        page.run(path, folder)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```console\n$ echo a\na\n$ echo b\nc\n```\n", "line 4: $ echo b\nExpected:\nc\nActual:\nb\n"),
        ("```console\n$ false\n```\n", "line 2: $ false\nIt exited with 1, expected 0"),
        ("<!-- exit: 2 -->\n```console\n$ true\n```\n", "It exited with 0, expected 2"),
        ("```console\n$ no-such-command\n```\n", "It exited with 127, expected 0"),
        ("```console\n$ exit 0\n```\n", "it ended the shell"),
        ("```console\nnot a command\n```\n", "a session begins with '$ '"),
        ("\n```python\na = 1\na / 0\n```\n", 'page.md", line 4, in <module>'),
        ("```pycon\n>>> 1 + 1\n3\n```\n", "Expected:\n    3\nGot:\n    2"),
        ("```json\n{,}\n```\n", "Expecting property name"),
        ("```toml\na =\n```\n", "Invalid value"),
        ("```yaml\na: [\n```\n", "line 2"),
        ("```{code-block} python\n:caption: ../out.py\n```\n", "not in the page's folder"),
        ("```fortran\nEND\n```\n", "Cannot run a block of fortran"),
        ("```\nwhat is this\n```\n", "Cannot run a block of no language"),
        ("```{code-block} console\n:class: elsewhere\n\n$ if\n```\n", "syntax error"),
    ],
)
def test_mistakes(text: str, said: str, tmp_path: Path) -> None:
    """The error contains page, line, expected and actual output."""
    assert said in said_of(text, tmp_path)


@pytest.mark.slow
def test_errors_of_servers(tmp_path: Path) -> None:
    """A curl command without expected output fails on an error response."""
    text = "```console\n$ deepaas-run --model-name digits\n$ curl http://127.0.0.1:5000/nothing\n```\n"
    assert "It exited with 22" in said_of(text, tmp_path)


def test_error_of_a_server_that_exits_contains_its_output(tmp_path: Path) -> None:
    said = said_of("```console\n$ deepaas-run --model-name nobody\n```\n", tmp_path)
    assert "nobody" in said.partition("It ended")[2]


@pytest.mark.slow
def test_state_persists(tmp_path: Path) -> None:
    """Files, the current folder, variables and names persist from block to block."""
    path = tmp_path / "page.md"
    path.write_text(
        "```{code-block} python\n:caption: inner/one.py\n\nONE = 1\n```\n"
        "```console\n$ cd inner\n$ A=3\n```\n"
        "```console\n$ echo $A &&\n> pwd\n3\n...inner\n```\n"
        "```python\nfrom one import ONE\n```\n"
        "```pycon\n>>> ONE\n1\n```\n"
    )
    page.run(path, tmp_path)


def test_dots() -> None:
    """Dots stand for any text within a line, and on their own line for any lines."""
    assert is_shown("a...c\n", "abbc\n")
    assert not is_shown("a...c\n", "ab\nbc\n")
    assert is_shown("a\n...\nb\n", "a\nx\ny\nb\n")
    assert is_shown("a\n...\n", "a\n")
    assert not is_shown("a\n", "a\nb\n")


@pytest.mark.parametrize(
    "command", ["deepaas-run", ".venv/bin/deepaas-run --model ./m.py", "make run", "A=b deepaas-run -p 2"]
)
def test_servers(command: str) -> None:
    """Servers are run in the background."""
    assert serves(command)


@pytest.mark.parametrize(
    "command", ["deepaas-run --help", "deepaas-cli check", "make running", "deepaas-run --version"]
)
def test_no_servers(command: str) -> None:
    """Other commands are waited for."""
    assert not serves(command)
