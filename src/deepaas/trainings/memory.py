"""Whether the system ran out of memory, as far as it says so."""

from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def kills() -> int:
    """Return how many processes the system has killed for lack of memory, as far as this one can see."""
    for counter in (*_group_files(), Path("/proc/vmstat")):
        count = _counted(counter)
        if count is not None:
            return count
    return 0


def _group_files() -> list[Path]:
    """Return where this process's control group, in version 2 or 1, counts such kills."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    paths = [line.split(":", 2) for line in lines]
    unified = [_GROUPS / path.lstrip("/") / "memory.events" for _, kinds, path in paths if not kinds]
    memory = [
        _GROUPS / "memory" / path.lstrip("/") / "memory.oom_control"
        for _, kinds, path in paths
        if "memory" in kinds.split(",")
    ]
    return unified + memory


def _counted(path: Path) -> int | None:
    try:
        for line in path.read_text().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    except (OSError, ValueError):
        pass
    return None
