"""What becomes of the calls that a worker took with it. It must not know where they go from here."""

from collections.abc import Iterable

from deepaas.errors import WorkerLost
from deepaas.workers.pending import Pending

_MOST_LOSSES = 5


def to_be_run_again(begun: Iterable[Pending], not_begun: Iterable[Pending], reason: str) -> list[Pending]:
    """Fail the call that a worker ended with, and return those that it had not begun, or not alone.

    `reason` says what became of the worker.
    """
    lost = WorkerLost(f"The worker that ran this prediction {reason}. Other predictions are not affected.")
    return [
        *(pending for pending in begun if _survives(pending, lost, was_begun=True)),
        *(pending for pending in not_begun if _survives(pending, lost, was_begun=False)),
    ]


def _survives(pending: Pending, lost: WorkerLost, *, was_begun: bool) -> bool:
    """Say whether a call may be run again; fail it when it may not."""
    pending.losses += 1
    # Of some that ran together, nobody knows which one it was: each is run once more, alone.
    pending.goes_alone = pending.goes_alone or was_begun
    is_to_blame = was_begun and (pending.together == 1 or pending.stream is not None)
    if is_to_blame or pending.losses > _MOST_LOSSES:
        pending.fail(lost)
        return False
    return True
