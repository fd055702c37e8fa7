"""Scratch folders: made when needed, gone with the request."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepaas.files import Scratch, ScratchSpace, safe_suffix


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
    """A suffix is what follows the first dot of the last part, if it is harmless."""
    assert safe_suffix(name) == suffix


@given(st.text(max_size=300))
def test_no_name_leads_away(name: str) -> None:
    """Whatever a stranger calls a file, its path stays in the folder and is short."""
    suffix = safe_suffix(name)
    path = Path("/scratch") / f"0{suffix}"
    assert path.parent == Path("/scratch")
    assert len(suffix) <= 40
    assert suffix.isascii()


def test_folder_is_made_when_needed(tmp_path: Path) -> None:
    """A folder that nobody needed is never made; one that was needed goes with all that is in it."""

    async def use() -> None:
        async with Scratch(tmp_path / "unused"):
            assert not (tmp_path / "unused").exists()
        async with Scratch(tmp_path / "used") as scratch:
            paths = [scratch.new_file("a.png"), scratch.new_file("a.png")]
            assert len(set(paths)) == 2
            paths[0].write_text("content")
            (tmp_path / "used" / "below").mkdir()
        assert not (tmp_path / "used").exists()

    asyncio.run(use())


@pytest.mark.parametrize("kept", [True, False])
def test_keep(tmp_path: Path, *, kept: bool) -> None:
    """A folder that was to be kept stays."""

    async def use() -> None:
        async with Scratch(tmp_path / "one") as scratch:
            scratch.new_file("a").touch()
            if kept:
                scratch.keep()

    asyncio.run(use())
    assert (tmp_path / "one").exists() is kept


def test_files_of_others(tmp_path: Path) -> None:
    """A folder that somebody else filled goes too, once that is known."""

    async def use() -> None:
        async with Scratch(tmp_path / "one") as scratch:
            (tmp_path / "one").mkdir()
            (tmp_path / "one" / "result").touch()
            scratch.note_use()

    asyncio.run(use())
    assert not (tmp_path / "one").exists()


def test_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request's folder is another one, and all go with the space."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ScratchSpace() as space:
        folders = [space.folder() for _ in range(3)]
        assert len({folder.path for folder in folders}) == 3
        folders[0].new_file("a").touch()
        assert Path(folders[0].path).is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []
