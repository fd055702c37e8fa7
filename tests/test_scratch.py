"""Scratch folders: created on demand, deleted with the request."""

import asyncio
import contextlib
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import deepaas.scratch as scratch_module
from deepaas.scratch import SMALL_FILE_BYTES, ScratchFolder, ScratchRoot, sanitize_suffix


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.png", ".png"),
        ("a.nii.gz", ".nii.gz"),
        ("a", ""),
        ("", ""),
        ("..", ""),
        (".profile", ""),
        ("../../etc/passwd", ""),
        ("../a.d/passwd", ""),
        ("C:\\a.b\\c.JPG", ".JPG"),
        ("a.p n", ""),
        ("a.\0", ""),
        ("a.ü", ""),
        ("a.png\n", ""),
    ],
)
def test_safe_suffix(name: str, suffix: str) -> None:
    """The suffix starts at the first dot of the last path component, and is dropped unless harmless."""
    assert sanitize_suffix(name) == suffix


@given(st.text(max_size=300))
def test_client_names_cannot_escape_the_folder(name: str) -> None:
    """Whatever name a client sends, the path stays inside the folder and is short."""
    suffix = sanitize_suffix(name)
    path = Path("/scratch") / f"0{suffix}"
    assert path.parent == Path("/scratch")
    assert len(suffix) <= 40
    assert suffix.isascii()


def test_folder_is_made_when_needed(tmp_path: Path) -> None:
    """An unused folder is never created; a used one is deleted with its content."""

    async def use() -> None:
        async with ScratchFolder(str(tmp_path), None, "unused"):
            assert not (tmp_path / "unused").exists()
        async with ScratchFolder(str(tmp_path), None, "used") as scratch:
            paths = [scratch.create_file_path("a.png"), scratch.create_file_path("a.png")]
            assert len(set(paths)) == 2
            paths[0].write_text("content")
            (tmp_path / "used" / "below").mkdir()
        assert not (tmp_path / "used").exists()

    asyncio.run(use())


@pytest.mark.parametrize("fails", [True, False])
def test_files_of_workers(tmp_path: Path, *, fails: bool) -> None:
    """A result of a worker is deleted too, and so is what a failed call has written."""

    async def use() -> None:
        async with ScratchFolder(str(tmp_path), None, "one") as scratch:
            result = tmp_path / "one" / "result"
            result.parent.mkdir()
            result.touch()
            if fails:
                raise ConnectionResetError
            scratch.files.append(str(result))

    with contextlib.suppress(ConnectionResetError):
        asyncio.run(use())
    assert not (tmp_path / "one").exists()


def test_cancelled_request_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is deleted even if the request is cancelled while no thread is free to delete it."""

    async def request() -> None:
        async with ScratchFolder(str(tmp_path), None, "one") as scratch:
            scratch.create_file_path("a").touch()

    async def cancel_request() -> None:
        submitted = asyncio.Event()

        class Executor(ThreadPoolExecutor):
            def submit(self, *args: Any, **kwargs: Any) -> Any:
                submitted.set()
                return super().submit(*args, **kwargs)

        executor, free = Executor(1), threading.Event()
        monkeypatch.setattr(scratch_module, "FILES_EXECUTOR", executor)
        executor.submit(free.wait)
        submitted.clear()
        task = asyncio.create_task(request())
        await submitted.wait()
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        free.set()
        await asyncio.to_thread(executor.shutdown)

    asyncio.run(cancel_request())
    assert not (tmp_path / "one").exists()


def test_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request has its own folder; the root deletes all of them."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ScratchRoot() as space:
        folders = [space.create_folder() for _ in range(3)]
        assert len({folder.path for folder in folders}) == 3
        folders[0].create_file_path("a").touch()
        assert Path(folders[0].path).is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that stands for memory, beside one that stands for the disk."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "memory").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "disk"))
    monkeypatch.delenv("TMPDIR", raising=False)
    return tmp_path / "memory"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def content(path: Path) -> bytes:
    return path.read_bytes()


def test_small_files_in_memory(in_memory: Path) -> None:
    """Small files are in memory; they are deleted together with files that the model left beside them."""

    async def use(space: ScratchRoot) -> None:
        async with space.create_folder() as scratch:
            first, second = (Path(scratch.write_small_file("a.png", [text])) for text in (b"one", b"two"))
            assert (content(first), content(second)) == (b"one", b"two")
            assert (first.suffix, first.is_relative_to(in_memory)) == (".png", True)
            assert stat.S_IMODE(first.stat().st_mode) == 0o600
            (first.parent / "left").touch()
            second.unlink()
        assert names(in_memory) == []

    with ScratchRoot(in_memory) as space:
        asyncio.run(use(space))
    assert list(in_memory.iterdir()) == []


def test_empty_file_in_memory(in_memory: Path) -> None:
    """An empty file is deleted like any other."""

    async def use(space: ScratchRoot) -> None:
        async with space.create_folder() as scratch:
            path = Path(scratch.write_small_file("", []))
            assert (content(path), path.is_relative_to(in_memory)) == (b"", True)

    with ScratchRoot(in_memory) as space:
        asyncio.run(use(space))
        assert [*in_memory.glob("*/*")] == []


def test_memory_that_runs_out(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If memory takes only a part of a file, the complete file goes to disk and the part is deleted."""
    whole = os.writev
    monkeypatch.setattr(os, "writev", lambda descriptor, pieces: whole(descriptor, pieces[:1]))

    async def use(space: ScratchRoot) -> None:
        async with space.create_folder() as scratch:
            path = Path(scratch.write_small_file("", [b"o", b"ne"]))
            assert path.is_relative_to(in_memory.parent / "disk")
            assert (content(path), scratch.files) == (b"one", [str(path)])

    with ScratchRoot(in_memory) as space:
        asyncio.run(use(space))
        assert [*in_memory.glob("*/*")] == []


def test_memory_is_bounded(in_memory: Path) -> None:
    """Small files go to disk while those in memory use up the limit."""
    half = bytes(SMALL_FILE_BYTES)

    async def use(space: ScratchRoot) -> None:
        async with space.create_folder() as others:
            while Path(others.write_small_file("", [half])).is_relative_to(in_memory):
                pass
            assert len(names(in_memory)) * SMALL_FILE_BYTES == 64 << 20
            async with space.create_folder() as scratch:
                path = Path(scratch.write_small_file("a.png", [half]))
                assert path.is_relative_to(in_memory.parent / "disk")
                assert content(path) == half
        async with space.create_folder() as scratch:
            assert Path(scratch.write_small_file("", [half])).is_relative_to(in_memory)

    with ScratchRoot(in_memory) as space:
        asyncio.run(use(space))


def test_unwritable_memory_falls_back_to_disk(in_memory: Path) -> None:
    async def use(space: ScratchRoot) -> None:
        async with space.create_folder() as scratch:
            assert content(Path(scratch.write_small_file("", [b"o", b"ne"]))) == b"one"

    with ScratchRoot(in_memory) as space:
        for folder in in_memory.iterdir():
            folder.rmdir()
        asyncio.run(use(space))


def test_tmpdir_disables_memory(in_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(in_memory.parent / "disk"))
    with ScratchRoot(in_memory):
        assert list(in_memory.iterdir()) == []


def test_leftovers_of_killed_servers_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server deletes what a killed server left, but no folder that is in use or new."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, new = tmp_path / "deepaas-scratch-left", tmp_path / "deepaas-scratch-new"
    left.mkdir()
    (left / "file").touch()
    os.utime(left, (1, 1))
    new.mkdir()
    with ScratchRoot() as other:
        used = Path(other.create_folder().path).parent
        os.utime(used, (1, 1))
        with ScratchRoot():
            assert sorted(path.name for path in tmp_path.iterdir() if path in (left, new, used)) == sorted(
                [new.name, used.name]
            )
