"""Interface of a worker process, local or remote."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from deepaas.messages import WorkerConfig
from deepaas.scratch import ScratchFolder


class ProcessListener(Protocol):
    """Who is told what a process says."""

    def on_message(self, number: int, message: Any) -> None:
        """Take a message about the call with that number; 0 is about none."""

    def on_protocol_error(self) -> None:
        """Take note that the process has written what is no message."""

    def on_disconnect(self) -> None:
        """Take note that nothing more will be heard."""


class ExitStatus(NamedTuple):
    """How a process ended: its code, negative for a signal; or, where nobody knows it, what became of it."""

    code: int | None
    reason: str = ""


class WorkerProcess(Protocol):
    """A process that runs `deepaas.workers.child`, and what passes between it and its worker.

    Calls are numbered in the order in which they are sent, from 1.
    """

    @property
    def pid(self) -> int | None:
        """The process's id where it runs, once it has one."""

    @property
    def has_exited(self) -> bool:
        """Say whether the process was started and is known to have ended."""

    @property
    def last_started(self) -> int:
        """The number of the last call that is known to have been begun."""

    async def start(self, config: WorkerConfig, listener: ProcessListener) -> None:
        """Start the process with its first message. Raise `OSError` or `ModelUnavailable` when that fails."""

    def send(self, content: bytes, number: int = 0, scratch: ScratchFolder | None = None) -> None:
        """Send an encoded message; `scratch` holds the files of the call that it is."""

    def pause(self) -> None:
        """Hear nothing for now: the process waits with what it has to say."""

    def resume(self) -> None:
        """Hear again what the process says."""

    async def revoke_up_to(self, last: int) -> int | None:
        """Let no call up to `last` be begun any more; return the last that was, if that is known."""

    def cancel_stream(self, number: int) -> None:
        """Let the process end a call whose result comes in chunks, as soon as it has sent the next one."""

    def is_responsive(self) -> bool:
        """Say whether the process runs: one that was stopped answers nothing."""

    async def wait(self) -> ExitStatus:
        """Wait until the process has ended; return how."""

    async def drain_output(self) -> None:
        """Wait until all that an ended process has said is heard."""

    def kill(self) -> None:
        """Kill the process and all it started. What it has said is still heard."""

    def close_connection(self) -> None:
        """Hear nothing any more."""

    async def terminate(self, grace_s: float) -> ExitStatus:
        """Let the process end by itself for `grace_s` seconds, then kill it. It may be called again."""

    def close(self) -> None:
        """Let go of what is left of an ended process."""


ProcessFactory = Callable[[Callable[[bytes], None] | None], WorkerProcess]
"""Makes a process that is yet to be started; its argument is called with what it prints, if wanted."""
