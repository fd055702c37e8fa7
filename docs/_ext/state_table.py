"""The table of training states, generated from `deepaas.trainings.record`."""

from deepaas.trainings.record import TrainingState
from rows import code, table

_MEANING = {
    TrainingState.QUEUED: "Waits for its turn: `--max-trainings` run at a time.",
    TrainingState.STARTING: "Its process starts and imports the model.",
    TrainingState.RUNNING: "`train` runs.",
    TrainingState.CANCELLING: "Was asked to stop, and has `--cancel-grace` seconds to do so.",
    TrainingState.DONE: "`train` returned; `result` is in the record.",
    TrainingState.ERROR: "`train` raised, or its process died; `message` and `traceback` give the reason.",
    TrainingState.CANCELLED: "It was cancelled, or the server stopped.",
    TrainingState.LOST: "Its process disappeared without a result, for example in a power cut.",
}


def markdown() -> str:
    """Return a row for each state: its word in the V2 API, and whether it is final."""
    rows = (
        (code(state.value), code(state.status), "yes" if state.is_final else "", _MEANING[state])
        for state in TrainingState
    )
    return table(("`state`", "`status`", "final", "meaning"), rows)
