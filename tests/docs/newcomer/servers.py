"""Owns the servers that a page starts: they listen where there is room, and the page need not know."""

import re
from pathlib import Path
from typing import NamedTuple, Self

import psutil

from newcomer.reading import is_shown
from newcomer.shell import Shell
from serving import END_S, START_S, until

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
    """The running servers of a page, by the port that the page says."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._running: dict[str, _Server] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._running:
            self.stop_last()

    def begin(self, command: str, expected: str) -> None:
        """Begin a command that serves; return when it does, and has written what is expected."""
        port = found[2] if (found := _PORT.search(command)) else _DEFAULT_PORT
        if port in self._running:
            self._stop(port)
        group, log = self._shell.begin(_PORT.sub(r"\g<1>0", command.rstrip("& ")))
        self._running[port] = _Server("", group, log)

        def serves() -> re.Match[str] | None:
            assert _is_alive(group), f"It ended:\n{log.read_text()}"
            return _SERVING.search(log.read_text())

        self._running[port] = _Server(until(serves, START_S)[1], group, log)
        if expected:
            until(lambda: is_shown(f"{expected}...", self.as_shown(log.read_text())), START_S)

    def stop_last(self) -> None:
        """End the server that was begun last."""
        self._stop(next(reversed(self._running)))

    def as_typed(self, text: str) -> str:
        """Return a page's text with the addresses where the servers really are."""
        for port, server in self._running.items():
            text = re.sub(rf"\b(127\.0\.0\.1|localhost):{port}\b", rf"\1:{server.port}", text)
        return text

    def as_shown(self, text: str) -> str:
        """Return an output with the addresses that the page says."""
        for port, server in self._running.items():
            if server.port:
                text = re.sub(rf"\b(127\.0\.0\.1|localhost):{server.port}\b", rf"\1:{port}", text)
        return text

    def _stop(self, port: str) -> None:
        """Tell a server to end, and end the hard way what is left of its command after that."""
        group = self._running.pop(port).group
        family = _family(group)
        server = next((process for process in family if "deepaas" in " ".join(process.cmdline())), None)
        if server:
            server.terminate()
        for process in psutil.wait_procs(family, timeout=END_S)[1]:
            process.kill()
        self._shell.wait(group)


def serves(command: str) -> bool:
    """Say whether a command is a server that goes on until it is told to stop."""
    return bool(_SERVES.search(command)) and not _ONLY_SAYS.search(command)


def _family(group: int) -> list[psutil.Process]:
    """Return a command's process and all below it, as long as there is one."""
    if not _is_alive(group):
        return []
    leader = psutil.Process(group)
    return [leader, *leader.children(recursive=True)]


def _is_alive(group: int) -> bool:
    try:
        return psutil.Process(group).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
