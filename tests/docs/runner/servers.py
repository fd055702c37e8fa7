"""The servers that a page starts. They use free ports instead of those that the page shows."""

import re
from pathlib import Path
from typing import NamedTuple, Self

import psutil

from runner.reading import is_shown
from runner.shell import Shell
from support.server import END_S, START_S, wait_until

_SERVES = re.compile(r"(^|[\s/;&])(deepaas-run|python3? -m deepaas\.cmd\.run|make run)(\s|$)")
_ONLY_SAYS = re.compile(r"\s(--help|-h|--version)\b|[|]")
_PORT = re.compile(r"(--listen-port[ =]|DEEPAAS_LISTEN_PORT=)(\d+)")
_SERVING = re.compile(r"Serving .* on https?://[^\s/]*:(\d+)")
_DEFAULT_PORT = "5000"


class _Server(NamedTuple):
    port: str
    group: int
    log: Path


class Servers:
    """The running servers of a page, by the port that the page shows."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._running: dict[str, _Server] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._running:
            self.stop_last()

    def begin(self, command: str, expected: str) -> None:
        """Start a server; return once it serves and has written the expected output."""
        port = found[2] if (found := _PORT.search(command)) else _DEFAULT_PORT
        if port in self._running:
            self._stop(port)
        group, log = self._shell.begin(_PORT.sub(r"\g<1>0", command.rstrip("& ")))
        self._running[port] = _Server("", group, log)

        def serves() -> re.Match[str] | None:
            assert _is_alive(group), f"It ended:\n{log.read_text()}"
            return _SERVING.search(log.read_text())

        self._running[port] = _Server(wait_until(serves, START_S)[1], group, log)
        if expected:
            wait_until(lambda: is_shown(f"{expected}...", self.as_shown(log.read_text())), START_S)

    def stop_last(self) -> None:
        """Stop the server that was started last."""
        self._stop(next(reversed(self._running)))

    def as_typed(self, text: str) -> str:
        """Replace addresses of a page by the real ones."""
        for port, server in self._running.items():
            text = re.sub(rf"\b(127\.0\.0\.1|localhost):{port}\b", rf"\1:{server.port}", text)
        return text

    def as_shown(self, text: str) -> str:
        """Replace real addresses in an output by those that the page shows."""
        for port, server in self._running.items():
            if server.port:
                text = re.sub(rf"\b(127\.0\.0\.1|localhost):{server.port}\b", rf"\1:{port}", text)
        return text

    def _stop(self, port: str) -> None:
        """Terminate a server, then kill the remaining processes of its command."""
        group = self._running.pop(port).group
        family = _family(group)
        server = next((process for process in family if "deepaas" in " ".join(process.cmdline())), None)
        if server:
            server.terminate()
        for process in psutil.wait_procs(family, timeout=END_S)[1]:
            process.kill()
        self._shell.wait(group)


def serves(command: str) -> bool:
    """Return whether a command is a server, which runs until it is stopped."""
    return bool(_SERVES.search(command)) and not _ONLY_SAYS.search(command)


def _family(group: int) -> list[psutil.Process]:
    """Return a command's process and its descendants, or nothing if it has exited."""
    if not _is_alive(group):
        return []
    leader = psutil.Process(group)
    return [leader, *leader.children(recursive=True)]


def _is_alive(group: int) -> bool:
    try:
        return psutil.Process(group).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
