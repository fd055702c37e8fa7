"""The child process of `deepaas-cli check`: announces each step, so that the parent knows which crashed."""

import contextlib
import faulthandler
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import IO

from deepaas import log
from deepaas.child_setup import ForkGuard, exit_with_parent, prepare_output
from deepaas.diagnostics import compat, declarations, execution
from deepaas.model import signatures
from deepaas.model.failures import describe_exception
from deepaas.model.findings import END_STEP, CheckRequest, Finding, Level, add_period
from deepaas.model.model import LoadedModel

CheckStep = Callable[[LoadedModel], Iterator[Finding]]

_STEPS: dict[str, CheckStep] = {
    "metadata": signatures.check_metadata,
    "arguments": declarations.check_arguments,
    "schema": signatures.check_schema,
    "specification": declarations.check_specification,
    "2.6": compat.check_compatibility,
    "warm": execution.check_warm,
}
_DECLARATION_STEPS = {"arguments", "schema"}
_DEPENDENT_STEPS = {"specification", "2.6"}
"""Steps that read the declarations, too: after an error in a declaration step, theirs are repetitions."""


class FindingWriter:
    """Writes findings to the pipe, one JSON array per line, flushed at once."""

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe
        self._fork_guard = ForkGuard()
        self.failed_steps: set[str] = set()
        """The steps with at least one error."""

    def start_step(self, step: str) -> None:
        """Announce a step, so that the parent can attribute a crash or a timeout to it."""
        self._write_line([step])

    def write(self, finding: Finding) -> None:
        """Write a finding, unless it repeats an error of an earlier step."""
        if finding.level is Level.ERROR:
            if finding.step in _DEPENDENT_STEPS and not _DECLARATION_STEPS.isdisjoint(self.failed_steps):
                return
            self.failed_steps.add(finding.step)
        self._write_line(list(finding))

    def _write_line(self, line: list[str]) -> None:
        self._fork_guard.check()
        self._pipe.write(json.dumps(line) + "\n")
        self._pipe.flush()


def run_steps(request: CheckRequest, writer: FindingWriter) -> None:
    """Run all steps; if the model cannot be imported, stop there."""
    writer.start_step("import")
    model, findings = execution.check_import(request)
    for finding in findings:
        writer.write(finding)
    if model is None:
        return
    with contextlib.closing(model):
        _check_model(model, request, writer)


def _check_model(model: LoadedModel, request: CheckRequest, writer: FindingWriter) -> None:
    _run_step("functions", signatures.check_functions(model, request.target), writer)
    for name, step in _STEPS.items():
        _run_step(name, step(model), writer)
    if request.run_predict and not execution.is_callable(model):
        text = "Not run: the arguments or the schema are broken, see above."
        writer.write(Finding(Level.NOTE, "predict", text))
    elif request.run_predict:
        _run_step("predict", execution.check_predict(model, request), writer)


def _run_step(name: str, findings: Iterator[Finding], writer: FindingWriter) -> None:
    """Run a step; any exception of user code becomes a finding."""
    writer.start_step(name)
    try:
        for finding in findings:
            writer.write(finding)
    except BaseException as error:  # noqa: BLE001 - user code may raise anything
        text = add_period(f"Failed with {describe_exception(error)}")
        writer.write(Finding(Level.ERROR, name, text, "See the traceback.", traceback.format_exc()))


def main(pipe: str, request_text: str) -> None:
    """Check a model, and write the findings to the descriptor `pipe`."""
    prepare_output()
    faulthandler.enable()
    exit_with_parent()
    log.configure("WARNING")
    request = CheckRequest.parse(request_text)
    sys.path[:] = request.python_path
    os.set_inheritable(int(pipe), False)  # noqa: FBT003 - its only form
    with os.fdopen(int(pipe), "w", encoding="utf-8") as file:
        writer = FindingWriter(file)
        run_steps(request, writer)
        writer.start_step(END_STEP)


if __name__ == "__main__":
    main(*sys.argv[1:])
