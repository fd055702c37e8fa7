"""Expansion of inputs to files, and the names of their results."""

from pathlib import Path

import pytest

from deepaas.batch.inputs import expand_inputs, expands_to_many

OUT = Path("out")


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change to a folder with some files."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "in/x.txt",
        "in/a/x.txt",
        "in/a/b/y.txt",
        "in/.hidden/z",
        "in/a/.z",
        "out/r.json",
        "@odd",
        "in/[x]",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    Path("list.txt").write_text("in/x.txt\r\n./in/a/x.txt\n\n")
    Path("nowhere").symlink_to("gone")


@pytest.mark.parametrize(
    ("text", "many"),
    [
        ("in", True),
        ("in/*", True),
        ("@list.txt", True),
        ("in/x.txt", False),
        ("@odd", False),
        ("in/[x]", False),
        ("gone", False),
        ("nowhere", False),
    ],
)
def test_many(text: str, many: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Folders, patterns and lists expand to many files; an existing file with such a name does not."""
    assert expands_to_many(text) is many


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("in", {"in/[x]": "[x]", "in/a/b/y.txt": "a/b/y.txt", "in/a/x.txt": "a/x.txt", "in/x.txt": "x.txt"}),
        ("in/a/", {"in/a/b/y.txt": "b/y.txt", "in/a/x.txt": "x.txt"}),
        ("in/*.txt", {"in/x.txt": "x.txt"}),
        ("in/*/x.txt", {"in/a/x.txt": "a/x.txt"}),
        ("*/x.txt", {"in/x.txt": "in/x.txt"}),
        ("in/**/y.txt", {"in/a/b/y.txt": "a/b/y.txt"}),
        ("@list.txt", {"in/a/x.txt": "in/a/x.txt", "in/x.txt": "in/x.txt"}),
        ("in/x.txt", {"in/x.txt": "x.txt"}),
        ("@odd", {"@odd": "@odd"}),
        (
            ".",
            {"@odd": "@odd", "list.txt": "list.txt"}
            | {f"in/{n}": f"in/{n}" for n in ("[x]", "a/b/y.txt", "a/x.txt", "x.txt")},
        ),
    ],
)
def test_found(text: str, names: dict[str, str]) -> None:
    """Files are sorted by path, without hidden files and results; names are relative paths."""
    found = expand_inputs([text], OUT)
    assert {one.path.removeprefix("./"): one.name for one in found} == names
    assert [one.path for one in found] == sorted(one.path for one in found)


def test_anywhere(tmp_path: Path) -> None:
    """Results of listed files, wherever those are, stay below the output folder and have unique names."""
    inner = tmp_path / "in"
    same = f"{inner}/x.txt"
    Path("list.txt").write_text(f"{same}\nin/../in/a/x.txt\n{inner}/a/../x.txt\n")
    assert {one.name for one in expand_inputs(["@list.txt"], OUT)} == {same.lstrip("/"), "in/a/x.txt"}
    Path("below").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir("below")
        Path("list.txt").write_text("../in/x.txt\n")
        assert [one.name for one in expand_inputs(["@list.txt"], OUT)] == [same.lstrip("/")]


def test_clash() -> None:
    """Files whose results would share a name get different ones, which are the same in every run."""
    found = expand_inputs(["in/x.txt", "in/a/x.txt"], OUT)
    assert len({one.name for one in found}) == 2
    assert all(one.name.startswith("x.txt-") for one in found)
    assert expand_inputs(["in/a/x.txt", "in/x.txt"], OUT) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gone", "no file gone"),
        ("out", "all its files are in the folder of the results; choose another with --output-dir"),
        ("out/*.json", "all its files are in the folder of the results"),
        ("z*", "no file in it"),
        ("@gone", "list gone cannot be read"),
    ],
)
def test_input_without_files_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        expand_inputs([text], OUT)
