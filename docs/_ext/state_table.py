"""The table of a training's states, from `deepaas.trainings.record`."""

from deepaas.trainings.record import TrainingState
from rows import code, table

_MEANING = {
    TrainingState.QUEUED: "It waits for its turn: `--max-trainings` run at a time.",
    TrainingState.STARTING: "Its process starts and imports the model.",
    TrainingState.RUNNING: "`train` runs.",
    TrainingState.CANCELLING: "It was told to end, and has `--cancel-grace` seconds for it.",
    TrainingState.DONE: "`train` returned; `result` is in the record.",
    TrainingState.ERROR: "`train` raised, or its process died; `message` and `traceback` say why.",
    TrainingState.CANCELLED: "It was cancelled, or the server stopped.",
    TrainingState.LOST: "Its process vanished without a word, as when the machine went down.",
}


def markdown() -> str:
    """Return a row for each state: the word of the V2 API for it, and whether it is an end."""
    rows = (
        (code(state.value), code(state.status), "yes" if state.is_final else "", _MEANING[state])
        for state in TrainingState
    )
    return table(("`state`", "`status`", "end", "what it means"), rows)
