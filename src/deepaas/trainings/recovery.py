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
    """Tells servers of other machines what is looked after here, and finds what they look after no more.

    A training is silent when neither its server nor its own process has said anything for `lost_after_s`.
    """

    def __init__(self, records: TrainingRepository, own_id: ProcessId, heartbeat_timeout_s: float) -> None:
        self._records = records
        self._store = records.store
        self._own_host = own_id.host
        self._heartbeat_timeout_s = heartbeat_timeout_s
        self._heartbeats = HeartbeatTracker(heartbeat_timeout_s / POLL_INTERVAL_S)

    async def send_heartbeats(self, get_uuids: Callable[[], Iterable[str]]) -> None:
        """Say again and again which trainings are looked after here."""
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            try:
                if uuids := list(get_uuids()):
                    await self._records.run_in_thread(self._store.record_heartbeats, uuids)
            except Exception as error:  # noqa: BLE001 - whatever the database says, trainings go on
                _log.warning("The store cannot be told of the trainings that run here: %s", error)

    async def find_expired(self, unfinished: Iterable[TrainingRecord]) -> list[TrainingRecord]:
        """Return those of other machines that are silent; it is to be called every `LOOK_S` seconds.

        A queued training waits for a server of its machine: only there its job and its uploads are for sure.
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
        """Write the end of a silent training. Its folder may be its own machine's, and is left alone."""
        host = ProcessId.parse(training.server).host
        message = f"lost: nothing was heard of it from the host {host} for {self._heartbeat_timeout_s:g} s."
        uuid, now, change = training.uuid, time.time(), self._store.transition
        ask = self._records.run_in_thread
        if not await ask(
            change, uuid, TrainingState.CANCELLED, only_from=TrainingState.CANCELLING, finished=now
        ):
            await ask(change, uuid, TrainingState.LOST, message=message, finished=now)


class HeartbeatTracker:
    """Finds the trainings whose heartbeat has not changed in the last `looks` looks.

    Looks are counted instead of seconds, and only those that were made: neither another machine's clock nor a
    database that was away for a while makes anybody silent.
    """

    def __init__(self, max_missed: float) -> None:
        self._max_missed = max_missed
        self._missed: dict[str, tuple[int, int]] = {}

    def update(self, heartbeats: Mapping[str, int]) -> set[str]:
        """Look once: return the trainings that are silent, of those whose heartbeats are given by uuid."""
        before = self._missed
        self._missed = {}
        for uuid, heartbeat in heartbeats.items():
            last, looks = before.get(uuid, (None, 0))
            self._missed[uuid] = (heartbeat, looks + 1 if heartbeat == last else 0)
        return {uuid for uuid, (_, looks) in self._missed.items() if looks > self._max_missed}
