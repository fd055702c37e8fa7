"""Leases of trainings on a database that several machines share, and detection of expired ones."""

import asyncio
from collections.abc import Callable, Iterable

from deepaas.log import get_logger
from deepaas.trainings.process_id import ProcessId
from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.repository import TrainingRepository

POLL_INTERVAL_S = 2.0
_log = get_logger(__name__)


class LeaseMonitor:
    """Renews the leases of this server's trainings, and finds trainings whose lease expired.

    The server and the training's process both renew a lease, so it expires when both are silent.
    """

    def __init__(self, records: TrainingRepository, own_id: ProcessId) -> None:
        self._records = records
        self._store = records.store
        self._own_host = own_id.host
        self._outage_guard = OutageGuard(self._store.lease_s)

    async def renew_forever(self, get_uuids: Callable[[], Iterable[str]]) -> None:
        """Renew the leases of this server's trainings, until the task is cancelled."""
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            try:
                if uuids := list(get_uuids()):
                    await self._records.run_in_thread(self._store.renew_leases, uuids)
            except Exception as error:  # noqa: BLE001 - any driver error: renewal must go on
                _log.warning("Could not renew the leases of this server's trainings; retrying: %s", error)

    async def find_expired(self, unfinished: Iterable[TrainingRecord]) -> list[TrainingRecord]:
        """Return trainings of other machines with an expired lease. Call it every `POLL_INTERVAL_S`.

        Queued trainings never expire: only a server on their machine is sure to have their job and uploads.
        """
        now_s, expired = await self._records.run_in_thread(self._store.list_expired)
        if not self._outage_guard.may_expire(now_s):
            return []
        return [
            training
            for training in unfinished
            if training.uuid in expired
            and training.state is not TrainingState.QUEUED
            and ProcessId.parse(training.server).host != self._own_host
        ]

    async def mark_lost(self, training: TrainingRecord) -> bool:
        """Mark a training with an expired lease lost, or cancelled if that was requested.

        Return False if its lease was renewed meanwhile. Its folder is left alone.
        """
        host = ProcessId.parse(training.server).host
        message = f"lost: no heartbeat from the host {host} for {self._store.lease_s:g} s."
        return await self._records.run_in_thread(self._store.expire, training.uuid, message)


class OutageGuard:
    """Lets no lease expire for the time of one lease after this server's polls were interrupted.

    A server that was suspended, or had no database, cannot know whether the others could renew their leases
    meanwhile. Times are seconds of the database's clock.
    """

    def __init__(self, lease_s: float) -> None:
        self._lease_s = lease_s
        self._last_poll_s = float("-inf")
        self._end_s = 0.0

    def may_expire(self, now_s: float) -> bool:
        """Record a poll; return whether leases that have expired now may be treated as expired."""
        if not 0 <= now_s - self._last_poll_s <= self._lease_s / 2:
            self._end_s = now_s + self._lease_s
        self._last_poll_s = now_s
        return now_s >= self._end_s
