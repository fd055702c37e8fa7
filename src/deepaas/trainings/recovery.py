"""Heartbeats between servers that share a database, and detection of servers that stopped sending them."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

from deepaas.log import get_logger
from deepaas.trainings.process_id import ProcessId
from deepaas.trainings.record import TrainingRecord, TrainingState
from deepaas.trainings.repository import TrainingRepository

POLL_INTERVAL_S = 2.0
_log = get_logger(__name__)


class PeerMonitor:
    """Sends heartbeats for this server's trainings, and finds trainings whose heartbeat expired.

    The server and the training's process both send heartbeats, so a training expires when both are silent.
    """

    def __init__(self, records: TrainingRepository, own_id: ProcessId, heartbeat_timeout_s: float) -> None:
        self._records = records
        self._store = records.store
        self._own_host = own_id.host
        self._heartbeat_timeout_s = heartbeat_timeout_s
        self._heartbeats = HeartbeatTracker(heartbeat_timeout_s / POLL_INTERVAL_S)

    async def send_heartbeats(self, get_uuids: Callable[[], Iterable[str]]) -> None:
        """Send heartbeats for this server's trainings, until the task is cancelled."""
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            try:
                if uuids := list(get_uuids()):
                    await self._records.run_in_thread(self._store.record_heartbeats, uuids)
            except Exception as error:  # noqa: BLE001 - any driver error: heartbeats must go on
                _log.warning("Could not send heartbeats of this server's trainings; retrying: %s", error)

    async def find_expired(self, unfinished: Iterable[TrainingRecord]) -> list[TrainingRecord]:
        """Return trainings of other machines with an expired heartbeat. Call it every `POLL_INTERVAL_S`.

        Queued trainings never expire: only a server on their machine is sure to have their job and uploads.
        """
        others = {
            one.uuid: one
            for one in unfinished
            if one.state is not TrainingState.QUEUED and ProcessId.parse(one.server).host != self._own_host
        }
        heartbeats = (
            await self._records.run_in_thread(self._store.read_heartbeats, list(others)) if others else {}
        )
        return [others[uuid] for uuid in self._heartbeats.update(heartbeats)]

    async def mark_lost(self, training: TrainingRecord) -> None:
        """Mark an expired training lost, or cancelled if that was requested. Its folder is left alone."""
        host = ProcessId.parse(training.server).host
        message = f"lost: no heartbeat from the host {host} for {self._heartbeat_timeout_s:g} s."
        uuid, now, change = training.uuid, time.time(), self._store.transition
        run = self._records.run_in_thread
        if not await run(
            change, uuid, TrainingState.CANCELLED, only_from=TrainingState.CANCELLING, finished=now
        ):
            await run(change, uuid, TrainingState.LOST, message=message, finished=now)


class HeartbeatTracker:
    """Finds trainings whose heartbeat has not changed in the last `max_missed` polls.

    It counts successful polls, not seconds, so that neither clock skew nor a database outage expires
    trainings.
    """

    def __init__(self, max_missed: float) -> None:
        self._max_missed = max_missed
        self._missed: dict[str, tuple[int, int]] = {}

    def update(self, heartbeats: Mapping[str, int]) -> set[str]:
        """Record one poll of heartbeat counters, by uuid; return the uuids that expired."""
        before = self._missed
        self._missed = {}
        for uuid, heartbeat in heartbeats.items():
            last, missed = before.get(uuid, (None, 0))
            self._missed[uuid] = (heartbeat, missed + 1 if heartbeat == last else 0)
        return {uuid for uuid, (_, missed) in self._missed.items() if missed > self._max_missed}
