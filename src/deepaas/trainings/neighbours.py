"""Servers of other machines on the same store: which trainings they look after, and who has fallen silent.

It must not know how trainings are run.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

from deepaas.log import get_logger
from deepaas.trainings.process import ProcessName
from deepaas.trainings.records import Records
from deepaas.trainings.training import State, Training

LOOK_S = 2.0
_log = get_logger(__name__)


class Neighbours:
    """Tells servers of other machines what is looked after here, and finds what they look after no more.

    A training is silent when neither its server nor its own process has said anything for `lost_after_s`.
    """

    def __init__(self, records: Records, own_name: ProcessName, lost_after_s: float) -> None:
        self._records = records
        self._store = records.store
        self._own_host = own_name.host
        self._lost_after_s = lost_after_s
        self._silence = Silence(lost_after_s / LOOK_S)

    async def keep_telling(self, looked_after: Callable[[], Iterable[str]]) -> None:
        """Say again and again which trainings are looked after here."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                if uuids := list(looked_after()):
                    await self._records.ask(self._store.beat, uuids)
            except Exception as error:  # noqa: BLE001 - whatever the database says, trainings go on
                _log.warning("The store cannot be told of the trainings that run here: %s", error)

    async def silent(self, unfinished: Iterable[Training]) -> list[Training]:
        """Return those of other machines that are silent; it is to be called every `LOOK_S` seconds.

        A queued training waits for a server of its machine: only there its job and its uploads are for sure.
        """
        others = {
            one.uuid: one
            for one in unfinished
            if one.state is not State.QUEUED and ProcessName.parse(one.server).host != self._own_host
        }
        heartbeats = await self._records.ask(self._store.heartbeats, list(others)) if others else {}
        return [others[uuid] for uuid in self._silence.among(heartbeats)]

    async def call_lost(self, training: Training) -> None:
        """Write the end of a silent training. Its folder may be its own machine's, and is left alone."""
        host = ProcessName.parse(training.server).host
        message = f"lost: nothing was heard of it from the host {host} for {self._lost_after_s:g} s."
        uuid, now, change = training.uuid, time.time(), self._store.change
        ask = self._records.ask
        if not await ask(change, uuid, State.CANCELLED, only_from=State.CANCELLING, finished=now):
            await ask(change, uuid, State.LOST, message=message, finished=now)


class Silence:
    """Finds the trainings whose heartbeat has not changed in the last `looks` looks.

    Looks are counted instead of seconds, and only those that were made: neither another machine's clock nor a
    database that was away for a while makes anybody silent.
    """

    def __init__(self, looks: float) -> None:
        self._looks = looks
        self._unchanged: dict[str, tuple[int, int]] = {}

    def among(self, heartbeats: Mapping[str, int]) -> set[str]:
        """Look once: return the trainings that are silent, of those whose heartbeats are given by uuid."""
        before = self._unchanged
        self._unchanged = {}
        for uuid, heartbeat in heartbeats.items():
            last, looks = before.get(uuid, (None, 0))
            self._unchanged[uuid] = (heartbeat, looks + 1 if heartbeat == last else 0)
        return {uuid for uuid, (_, looks) in self._unchanged.items() if looks > self._looks}
