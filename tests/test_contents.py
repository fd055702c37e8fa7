"""Files that are copied, hashed, replaced and named."""

import hashlib
from pathlib import Path

import pytest

from deepaas.contents import copy_hashed, replacing, sha256_of, suffix_for


def test_copy_hashed(tmp_path: Path) -> None:
    """A copy has the content of the file, whose hash is returned."""
    content = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(content)
    assert copy_hashed(tmp_path / "a", tmp_path / "b") == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "b").read_bytes() == content
    assert sha256_of(tmp_path / "b") == hashlib.sha256(content).hexdigest()


def test_replacing(tmp_path: Path) -> None:
    """A file is replaced when all was written; where that fails, it stays as it was, alone."""
    path = tmp_path / "a"
    with replacing(path) as file:
        file.write(b"one")
        assert not path.exists()
    with pytest.raises(TypeError), replacing(path) as file:
        file.write("no bytes")  # type: ignore[arg-type]  # on purpose
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("media_type", "suffix"),
    [
        ("application/json", ".json"),
        ("image/png", ".png"),
        ("image/jpeg; quality=1", ".jpg"),
        ("text/plain", ".txt"),
        ("application/octet-stream", ".bin"),
        ("x/x-nifti", ".nifti"),
        ("x/vnd.something.very-long", ".bin"),
    ],
)
def test_suffix_for(media_type: str, suffix: str) -> None:
    """Every media type has a suffix."""
    assert suffix_for(media_type) == suffix
