"""Manifests of shards, and how they are merged."""

import json
from pathlib import Path

import pytest

from deepaas.batch.manifest import Manifest, ManifestEntry
from deepaas.batch.shards import Shard


def line(name: str, error: str | None = None) -> ManifestEntry:
    """Return the entry of one input."""
    return ManifestEntry(name, "0" * 64, None if error else f"{name}.json", 0.5, error, "")


def write(
    folder: Path, shard: Shard, *written: ManifestEntry, resume: bool = False, complete: bool = True
) -> None:
    """Write the manifest of one shard."""
    with Manifest(folder, shard, resume=resume) as manifest:
        for one in written:
            manifest.append(one)
        manifest.finalize(is_complete=complete)


def read(folder: Path) -> dict[str, list[str]]:
    """Return the inputs in each manifest."""
    files = sorted(folder.glob("manifest*"))
    return {
        file.name: [json.loads(text)["input"] for text in file.read_text().splitlines()] for file in files
    }


def known(folder: Path, shard: Shard) -> set[str]:
    """Return the inputs that a resumed shard knows."""
    with Manifest(folder, shard, resume=True) as manifest:
        return set(manifest.previous)


def test_entry_keys(tmp_path: Path) -> None:
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
    """The merged manifest has one line for each input, the last one written."""
    write(tmp_path, Shard(), line("a", "why"), line("b"))
    write(tmp_path, Shard(), line("a"), resume=True)
    assert read(tmp_path) == {"manifest.jsonl": ["a", "b"]}
    assert '"error": null' in (tmp_path / "manifest.jsonl").read_text().splitlines()[0]
    write(tmp_path, Shard(), line("c"))
    assert read(tmp_path) == {"manifest.jsonl": ["c"]}


def test_parts_become_one(tmp_path: Path) -> None:
    """Each shard has its own file; the last shard to finish, in any order, merges them."""
    write(tmp_path, Shard(2, 3), line("b"))
    write(tmp_path, Shard(3, 3), line("c"), complete=False)
    assert read(tmp_path) == {"manifest.2-of-3.jsonl": ["b"], "manifest.3-of-3.part.jsonl": ["c"]}
    write(tmp_path, Shard(1, 3), line("a"))
    assert len(read(tmp_path)) == 3
    write(tmp_path, Shard(3, 3), line("d"), resume=True)
    assert read(tmp_path) == {"manifest.jsonl": ["a", "b", "c", "d"]}


@pytest.mark.parametrize("shard", [Shard(), Shard(1, 2)])
def test_resumed_with_other_shards(tmp_path: Path, shard: Shard) -> None:
    """A batch resumed with other shards, or with one, knows the entries of all."""
    write(tmp_path, Shard(1, 3), line("a"))
    write(tmp_path, Shard(2, 3), line("b"), complete=False)
    assert known(tmp_path, shard) == {"a", "b"}


def test_restart_forgets_earlier_runs(tmp_path: Path) -> None:
    """After a restart without --resume, a shard knows only the entries of that run."""
    for number in (1, 2):
        write(tmp_path, Shard(number, 2), line("a"))
    write(tmp_path, Shard(1, 2), line("b"), complete=False)
    assert known(tmp_path, Shard(1, 2)) == {"b"}


def test_truncated_line(tmp_path: Path) -> None:
    """A truncated line is ignored and does not corrupt the next one."""
    path = tmp_path / "manifest.jsonl"
    write(tmp_path, Shard(), line("a"), line("b"))
    path.write_bytes(path.read_bytes()[:-20])
    write(tmp_path, Shard(), line("c"), resume=True)
    assert read(tmp_path) == {"manifest.jsonl": ["a", "c"]}


def test_undecodable_file_name(tmp_path: Path) -> None:
    """File names may contain any bytes and are kept unchanged."""
    odd = b"\xff\xfe.png".decode(errors="surrogateescape")
    write(tmp_path, Shard(), line(odd), complete=False)
    assert known(tmp_path, Shard()) == {odd}
