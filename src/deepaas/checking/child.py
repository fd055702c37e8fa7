"""What runs in the process of a check: one step after the other, each announced before it begins.

So whoever reads what it finds knows where it was when it died. It must not know how findings are shown.
"""

import faulthandler
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import IO

from deepaas import log
from deepaas.checking import contract, declared, differences, running
from deepaas.checking.finding import END, Finding, Level, Question, sentence
from deepaas.model.failure import describe
from deepaas.model.model import Model
from deepaas.spawned import hang_on, write_lines_at_once

Step = Callable[[Model], Iterator[Finding]]

_STEPS: dict[str, Step] = {
    "metadata": contract.metadata,
    "arguments": declared.arguments,
    "schema": contract.schema,
    "specification": declared.specification,
    "2.6": differences.differences,
    "warm": running.warmed,
}


_DECLARING = {"arguments", "schema"}
_REPEATING = {"specification", "2.6"}
"""Steps that read what the declaring ones look at: with an error there, theirs say it again."""


class Saying:
    """Writes what is found, one JSON array a line, at once."""

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe
        self.faulty: set[str] = set()
        """The steps that have found an error."""

    def begin(self, step: str) -> None:
        """Say which step begins."""
        self._write([step])

    def say(self, finding: Finding) -> None:
        """Say what was found, unless it only says an error again."""
        if finding.level is Level.ERROR:
            if finding.step in _REPEATING and not _DECLARING.isdisjoint(self.faulty):
                return
            self.faulty.add(finding.step)
        self._write(list(finding))

    def _write(self, line: list[str]) -> None:
        self._pipe.write(json.dumps(line) + "\n")
        self._pipe.flush()


def check(question: Question, saying: Saying) -> None:
    """Do all steps, as far as the model lets them."""
    model = _imported(question, saying)
    if model is None:
        return
    _do("functions", contract.functions(model, question.target), saying)
    for name, step in _STEPS.items():
        _do(name, step(model), saying)
    if question.predicts and not running.can_be_called(model):
        text = "Not tried: its arguments or its schema cannot be made, see above."
        saying.say(Finding(Level.NOTE, "predict", text))
    elif question.predicts:
        _do("predict", running.predicted(model, question), saying)


def _imported(question: Question, saying: Saying) -> Model | None:
    saying.begin("import")
    model, findings = running.imported(question)
    for finding in findings:
        saying.say(finding)
    return model


def _do(name: str, findings: Iterator[Finding], saying: Saying) -> None:
    """Do a step; whatever the author's code raises in it is a finding."""
    saying.begin(name)
    pid = os.getpid()
    try:
        for finding in findings:
            saying.say(finding)
    except BaseException as error:
        if os.getpid() != pid:
            raise  # a process that the model forked
        text = sentence(f"It failed with {describe(error)}")
        saying.say(Finding(Level.ERROR, name, text, "The traceback says where.", traceback.format_exc()))


def main(pipe: str, question: str) -> None:
    """Check a model; what is found goes to the descriptor `pipe`."""
    faulthandler.enable()
    hang_on()
    write_lines_at_once()
    log.configure("WARNING")
    asked = Question.parse(question)
    sys.path[:] = asked.python_path
    os.set_inheritable(int(pipe), False)  # noqa: FBT003 - its only form
    with os.fdopen(int(pipe), "w", encoding="utf-8") as file:
        saying = Saying(file)
        check(asked, saying)
        saying.begin(END)


if __name__ == "__main__":
    main(*sys.argv[1:])
