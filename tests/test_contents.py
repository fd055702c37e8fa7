"""Files that are copied, hashed, replaced and named."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from deepaas.atomic_files import atomic_write, compute_sha256, copy_with_sha256, guess_extension


def test_copy_hashed(tmp_path: Path) -> None:
    """A copy has the content of the file, whose hash is returned."""
    content = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(content)
    assert copy_with_sha256(tmp_path / "a", tmp_path / "b") == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "b").read_bytes() == content
    assert compute_sha256(tmp_path / "b") == hashlib.sha256(content).hexdigest()


def test_replacing(tmp_path: Path) -> None:
    """A file is replaced when all was written; where that fails, it stays as it was, alone."""
    path = tmp_path / "a"
    with atomic_write(path) as file:
        file.write(b"one")
        assert not path.exists()
    with pytest.raises(TypeError), atomic_write(path) as file:
        file.write("no bytes")  # type: ignore[arg-type]  # on purpose
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_behind_a_link(tmp_path: Path) -> None:
    """The file that a symbolic link leads to is replaced, and keeps its mode; the link stays."""
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
    """What is no regular file is written to and stays what it is."""
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
    """A redirected standard output receives what is written to /dev/stdout, behind what it holds."""
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
def test_suffix_for(media_type: str, suffix: str) -> None:
    """Every media type has a suffix."""
    assert guess_extension(media_type) == suffix


def test_writing_in_place() -> None:
    """A file in a folder that cannot be written to is written in place."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folder is closed to other users
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
