"""The manifests of a batch's parts, and the one that they become."""

import json
from pathlib import Path

import pytest

from deepaas.batch.manifest import Manifest, ManifestEntry
from deepaas.batch.shards import Shard


def line(name: str, error: str | None = None) -> ManifestEntry:
    """Return the line of an input."""
    return ManifestEntry(name, "0" * 64, None if error else f"{name}.json", 0.5, error, "")


def write(
    folder: Path, shard: Shard, *written: ManifestEntry, resume: bool = False, complete: bool = True
) -> None:
    """Write the lines of one part."""
    with Manifest(folder, shard, resume=resume) as manifest:
        for one in written:
            manifest.append(one)
        manifest.finalize(is_complete=complete)


def read(folder: Path) -> dict[str, list[str]]:
    """Return the inputs that each manifest has a line for."""
    files = sorted(folder.glob("manifest*"))
    return {
        file.name: [json.loads(text)["input"] for text in file.read_text().splitlines()] for file in files
    }


def known(folder: Path, shard: Shard) -> set[str]:
    """Return the inputs that a resumed part knows of."""
    with Manifest(folder, shard, resume=True) as manifest:
        return set(manifest.previous)


def test_keys(tmp_path: Path) -> None:
    """A line says input, SHA-256, output, seconds and error by these names."""
    write(tmp_path, Shard(), line("a", "why"))
    said = json.loads((tmp_path / "manifest.jsonl").read_text())
    assert said == {
        "input": "a",
        "sha256": "0" * 64,
        "output": None,
        "seconds": 0.5,
        "error": "why",
        "arguments": "",
    }


def test_last_line_counts(tmp_path: Path) -> None:
    """In the end each input has one line, the last one."""
    write(tmp_path, Shard(), line("a", "why"), line("b"))
    write(tmp_path, Shard(), line("a"), resume=True)
    assert read(tmp_path) == {"manifest.jsonl": ["a", "b"]}
    assert '"error": null' in (tmp_path / "manifest.jsonl").read_text().splitlines()[0]
    write(tmp_path, Shard(), line("c"))
    assert read(tmp_path) == {"manifest.jsonl": ["c"]}


def test_parts_become_one(tmp_path: Path) -> None:
    """Each part has a file of its own; the last to end, in whatever order, puts all together."""
    write(tmp_path, Shard(2, 3), line("b"))
    write(tmp_path, Shard(3, 3), line("c"), complete=False)
    assert read(tmp_path) == {"manifest.2-of-3.jsonl": ["b"], "manifest.3-of-3.part.jsonl": ["c"]}
    write(tmp_path, Shard(1, 3), line("a"))
    assert len(read(tmp_path)) == 3
    write(tmp_path, Shard(3, 3), line("d"), resume=True)
    assert read(tmp_path) == {"manifest.jsonl": ["a", "b", "c", "d"]}


@pytest.mark.parametrize("shard", [Shard(), Shard(1, 2)])
def test_resumed_from_another_division(tmp_path: Path, shard: Shard) -> None:
    """A batch that is resumed in other parts, or in one, knows the lines of all."""
    write(tmp_path, Shard(1, 3), line("a"))
    write(tmp_path, Shard(2, 3), line("b"), complete=False)
    assert known(tmp_path, shard) == {"a", "b"}


def test_begun_anew(tmp_path: Path) -> None:
    """A part that begins anew, and is then resumed, knows nothing of what was done before that."""
    for number in (1, 2):
        write(tmp_path, Shard(number, 2), line("a"))
    write(tmp_path, Shard(1, 2), line("b"), complete=False)
    assert known(tmp_path, Shard(1, 2)) == {"b"}


def test_cut_off(tmp_path: Path) -> None:
    """A line that was cut off is as good as none, and does not spoil the next one."""
    path = tmp_path / "manifest.jsonl"
    write(tmp_path, Shard(), line("a"), line("b"))
    path.write_bytes(path.read_bytes()[:-20])
    write(tmp_path, Shard(), line("c"), resume=True)
    assert read(tmp_path) == {"manifest.jsonl": ["a", "c"]}


def test_name_that_is_no_text(tmp_path: Path) -> None:
    """A file's name may hold any bytes; it is kept as it is."""
    odd = b"\xff\xfe.png".decode(errors="surrogateescape")
    write(tmp_path, Shard(), line(odd), complete=False)
    assert known(tmp_path, Shard()) == {odd}
