"""Connects to a Ray cluster."""

import asyncio
import contextlib
import logging
import os
import signal
import threading
from typing import Any, Self

# Ray reads these on import: no usage statistics unless the user enables them
# (https://docs.ray.io/en/latest/cluster/usage-stats.html), and no logs about errors of remote calls whose
# result nobody awaits.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")

import ray

from deepaas.errors import SettingsError

NAMESPACE = "deepaas"
_CONNECT_TIMEOUT_S = 60.0
_DISCONNECT_TIMEOUT_S = 10.0
_CONNECT_HINT = (
    "Start one here with 'ray start --head', or join one with 'ray start --address=HOST:PORT': the server "
    "must run on a node of the cluster (with --num-cpus=0, nothing else runs on that node). If the cluster "
    "requires a token, set RAY_AUTH_MODE=token."
)


class Cluster:
    """The connection of this process to a Ray cluster.

    Use it as an asynchronous context manager: entering connects, or raises `SettingsError`; leaving
    disconnects, which kills all actors except detached ones.
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
        """Check that the address accepts connections, because `ray.init` would otherwise exit the process."""
        if self._address == "auto":
            return
        host, _, port = self._address.rpartition(":")
        if not port.isdecimal():
            raise ValueError("the address must be HOST:PORT, or auto.")
        _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.close()

    def _connect(self) -> None:
        # In a thread, ray.init() cannot install its signal handlers, and warns about it; we do not want them.
        logging.getLogger("ray").setLevel(logging.ERROR)
        ray.init(
            address=self._address,
            namespace=NAMESPACE,
            log_to_driver=False,
            configure_logging=False,
            logging_level="ERROR",
        )


def actor_options(cpus: float, gpus: float, **extra: Any) -> dict[str, Any]:
    """Return the Ray options of an actor: reserved resources, spread over the nodes, no restarts."""
    return {
        "num_cpus": cpus,
        "num_gpus": gpus,
        "max_restarts": 0,
        "max_task_retries": 0,
        "scheduling_strategy": "SPREAD",
        **extra,
    }


def _restore_sigterm() -> None:
    """Restore Python's SIGTERM handler: Ray's writes a trace and aborts three seconds later."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
