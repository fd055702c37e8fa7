"""Counts processes that the kernel killed for lack of memory."""

from pathlib import Path

_CGROUP_ROOT = Path("/sys/fs/cgroup")


def oom_kill_count() -> int:
    """Return the number of OOM kills in this process's control group, or else on the whole machine."""
    for counter in (*_list_oom_counter_files(), Path("/proc/vmstat")):
        count = _read_oom_kills(counter)
        if count is not None:
            return count
    return 0


def _list_oom_counter_files() -> list[Path]:
    """Return the files in which this process's control group, version 2 or 1, counts OOM kills."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    paths = [line.split(":", 2) for line in lines]
    unified = [_CGROUP_ROOT / path.lstrip("/") / "memory.events" for _, kinds, path in paths if not kinds]
    memory = [
        _CGROUP_ROOT / "memory" / path.lstrip("/") / "memory.oom_control"
        for _, kinds, path in paths
        if "memory" in kinds.split(",")
    ]
    return unified + memory


def _read_oom_kills(path: Path) -> int | None:
    try:
        for line in path.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    except (OSError, ValueError):
        pass
    return None
