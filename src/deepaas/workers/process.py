"""Interface of a worker process, local or remote."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from deepaas.messages import WorkerConfig
from deepaas.scratch import ScratchFolder


class ProcessListener(Protocol):
    """Receives the events of a worker process."""

    def on_message(self, number: int, message: Any) -> None:
        """Handle a message about the call with that number; 0 is no call."""

    def on_protocol_error(self) -> None:
        """Handle bytes that are not a message; called in an `except` block."""

    def on_disconnect(self) -> None:
        """Handle the end of the connection; no message follows."""


class ExitStatus(NamedTuple):
    """Exit code of a process, negative for a signal; if it is unknown, `reason` describes the exit."""

    code: int | None
    reason: str = ""


class WorkerProcess(Protocol):
    """A process that runs `deepaas.workers.child`, and the connection to it.

    Calls are numbered from 1, in the order of sending.
    """

    @property
    def pid(self) -> int | None:
        """The process id on the machine where it runs, once it is known."""

    @property
    def has_exited(self) -> bool:
        """Whether the process was started and is known to have exited."""

    @property
    def last_started(self) -> int:
        """The number of the last call that is known to have started."""

    async def start(self, config: WorkerConfig, listener: ProcessListener) -> None:
        """Start the process and send its configuration. Raise `OSError` or `ModelUnavailable`."""

    def send(self, content: bytes, number: int = 0, scratch: ScratchFolder | None = None) -> None:
        """Send an encoded message; if it is a call, `scratch` holds its files."""

    def pause(self) -> None:
        """Stop reading; the process blocks once the connection's buffer is full."""

    def resume(self) -> None:
        """Continue reading."""

    async def revoke_up_to(self, last: int) -> int | None:
        """Revoke all unstarted calls up to `last`; return the last started call's number, if it is known."""

    def cancel_stream(self, number: int) -> None:
        """Make the process end a streaming call after its next chunk."""

    def is_responsive(self) -> bool:
        """Return whether the process can run; false, for example, after SIGSTOP."""

    async def wait(self) -> ExitStatus:
        """Wait until the process has exited; return its exit status."""

    async def drain_output(self) -> None:
        """Read the remaining messages of an exited process."""

    def kill(self) -> None:
        """Kill the process and its children; messages already sent are still read."""

    def close_connection(self) -> None:
        """Close the connection at once and stop reading."""

    async def terminate(self, grace_s: float) -> ExitStatus:
        """Close the connection, wait `grace_s` seconds for the exit, then kill the process. Idempotent."""

    def close(self) -> None:
        """Release the resources of an exited process."""


ProcessFactory = Callable[[Callable[[bytes], None] | None], WorkerProcess]
"""Creates a process without starting it; the optional callback receives the output of the process."""
