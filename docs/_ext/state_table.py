"""The table of a training's states, from `deepaas.trainings.training`."""

from deepaas.trainings.training import State
from rows import code, table

_MEANING = {
    State.QUEUED: "It waits for its turn: `--train-workers` run at a time.",
    State.STARTING: "Its process starts and imports the model.",
    State.RUNNING: "`train` runs.",
    State.CANCELLING: "It was told to end, and has `--cancel-grace` seconds for it.",
    State.DONE: "`train` returned; `result` is in the record.",
    State.ERROR: "`train` raised, or its process died; `message` and `traceback` say why.",
    State.CANCELLED: "It was cancelled, or the server stopped.",
    State.LOST: "Its process vanished without a word, as when the machine went down.",
}


def markdown() -> str:
    """Return a row for each state: the word of the V2 API for it, and whether it is an end."""
    rows = (
        (code(state.value), code(state.status), "yes" if state.is_end else "", _MEANING[state])
        for state in State
    )
    return table(("`state`", "`status`", "end", "what it means"), rows)
