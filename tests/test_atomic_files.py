"""Atomic writes, copies, hashes and file extensions."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deepaas.atomic_files import atomic_write, compute_sha256, copy_with_sha256, guess_extension


def test_copy_returns_the_hash(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(content)
    assert copy_with_sha256(tmp_path / "a", tmp_path / "b") == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "b").read_bytes() == content
    assert compute_sha256(tmp_path / "b") == hashlib.sha256(content).hexdigest()


def test_replacing(tmp_path: Path) -> None:
    """A file is replaced only after all data is written; a failed write leaves only the old file."""
    path = tmp_path / "a"
    with atomic_write(path) as file:
        file.write(b"one")
        assert not path.exists()
    with pytest.raises(TypeError), atomic_write(path) as file:
        file.write("no bytes")  # type: ignore[arg-type]  # on purpose
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_behind_a_link(tmp_path: Path) -> None:
    """The target of a symbolic link is replaced and keeps its mode; the link stays."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    target, link, dangling = folder / "target", tmp_path / "link", tmp_path / "dangling"
    target.write_bytes(b"before")
    target.chmod(0o640)
    link.symlink_to(target)
    dangling.symlink_to(folder / "new")
    for path in (link, dangling):
        with atomic_write(path) as file:
            file.write(b"after")
        assert path.is_symlink()
        assert path.read_bytes() == b"after"
    assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in folder.iterdir()) == ["new", "target"]


def test_replacing_a_pipe(tmp_path: Path) -> None:
    """Special files, such as pipes and devices, are written to, not replaced."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_write(pipe) as file:
        file.write(b"one")
    assert os.read(reader, 10) == b"one"
    os.close(reader)
    assert pipe.is_fifo()
    with atomic_write(Path(os.devnull)) as file:
        file.write(b"nothing")
    assert Path(os.devnull).is_char_device()


def test_replacing_standard_output(tmp_path: Path) -> None:
    """Data written to /dev/stdout is appended to a redirected standard output."""
    script = (
        "from pathlib import Path; from deepaas.atomic_files import atomic_write; print('a', flush=True)\n"
        "with atomic_write(Path('/dev/stdout')) as file: file.write(b'b')"
    )
    with (tmp_path / "output").open("ab") as output:
        subprocess.run([sys.executable, "-c", script], stdout=output, check=True)
    assert (tmp_path / "output").read_bytes() == b"a\nb"


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
def test_extension_of_each_media_type(media_type: str, suffix: str) -> None:
    assert guess_extension(media_type) == suffix


def test_file_in_a_read_only_folder_is_written_in_place() -> None:
    with tempfile.TemporaryDirectory() as name:  # other users cannot enter pytest's own folder
        folder = Path(name)
        path = folder / "a"
        path.write_bytes(b"before")
        path.chmod(0o666)
        folder.chmod(0o555)
        script = (
            "import os, sys; from pathlib import Path; from deepaas.atomic_files import atomic_write\n"
            "if os.getuid() == 0: os.setuid(65534)  # root may write anywhere\n"
            "with atomic_write(Path(sys.argv[1])) as file: file.write(b'after')"
        )
        subprocess.run([sys.executable, "-c", script, str(path)], check=True)
        assert path.read_bytes() == b"after"
        folder.chmod(0o755)
