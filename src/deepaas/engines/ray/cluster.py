"""Connects to a Ray cluster."""

import asyncio
import contextlib
import logging
import os
import signal
import threading
from typing import Any, Self

# Ray reads these when it is imported: nothing is reported to anybody unless the user wants that, and what
# fails while nobody waits for it is no news.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")

import ray

from deepaas.errors import SettingsError

NAMESPACE = "deepaas"
_CONNECT_TIMEOUT_S = 60.0
_DISCONNECT_TIMEOUT_S = 10.0
_CONNECT_HINT = (
    "Start one here with 'ray start --head', or join one with 'ray start --address=HOST:PORT': the server "
    "must run on a machine that is a node of the cluster (with --num-cpus=0 nothing else runs on it). A "
    "cluster that asks for a token is reached with RAY_AUTH_MODE=token."
)


class Cluster:
    """A connection of this process's.

    Use it as an asynchronous context manager: entering connects and raises `SettingsError` when that fails,
    leaving disconnects, which ends all actors but detached ones.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await self._check_address()
                await asyncio.to_thread(self._connect)
        except (OSError, RuntimeError, ValueError, TimeoutError, ray.exceptions.RayError) as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise SettingsError(f"No Ray cluster at {self._address}: {reason} {_CONNECT_HINT}") from error
        _restore_sigterm()
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCONNECT_TIMEOUT_S):
                await asyncio.to_thread(ray.shutdown)

    async def _check_address(self) -> None:
        """Look whether anybody answers there: where nobody does, Ray's library ends the process."""
        if self._address == "auto":
            return
        host, _, port = self._address.rpartition(":")
        if not port.isdecimal():
            raise ValueError("an address is HOST:PORT, or auto.")
        _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.close()

    def _connect(self) -> None:
        # It warns that it sets no signal handlers, which are not its to set.
        logging.getLogger("ray").setLevel(logging.ERROR)
        ray.init(
            address=self._address,
            namespace=NAMESPACE,
            log_to_driver=False,
            configure_logging=False,
            logging_level="ERROR",
        )


def actor_options(cpus: float, gpus: float, **extra: Any) -> dict[str, Any]:
    """Return how an actor is to be placed: what is set aside for it, spread over the nodes."""
    return {
        "num_cpus": cpus,
        "num_gpus": gpus,
        "max_restarts": 0,
        "max_task_retries": 0,
        "scheduling_strategy": "SPREAD",
        **extra,
    }


def _restore_sigterm() -> None:
    """Undo what Ray's library does about SIGTERM: it writes a trace and, three seconds later, aborts."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
