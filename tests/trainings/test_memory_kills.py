"""Detection of OOM kills from the kernel's counters."""

from pathlib import Path

import pytest

from deepaas.trainings import oom

EVENTS = "low 0\nhigh 5\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"
OLD_CONTROL = "oom_kill_disable 0\nunder_oom 0\n"


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (EVENTS, 2),
        (CONTROL, 4),
        (OLD_CONTROL, None),
        ("", None),
        ("oom_kill many\n", None),
        ("oom_kill 0", 0),
    ],
)
def test_counted(tmp_path: Path, content: str, count: int | None) -> None:
    """The count is read from memory.events (cgroup version 2) and memory.oom_control (version 1)."""
    file = tmp_path / "counter"
    file.write_text(content)
    assert oom._read_oom_kills(file) == count  # noqa: SLF001 - the public function reads the files of this system only


def test_no_file(tmp_path: Path) -> None:
    """A missing file, or a folder, gives no count."""
    assert oom._read_oom_kills(tmp_path / "none") is None  # noqa: SLF001
    assert oom._read_oom_kills(tmp_path) is None  # noqa: SLF001


def test_here() -> None:
    """On this system, the count is a number that does not decrease."""
    first = oom.oom_kill_count()
    assert 0 <= first <= oom.oom_kill_count()
