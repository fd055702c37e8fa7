"""The describer process: loads the model, and answers questions of the server about it."""

import pickle
import sys
import time
from collections.abc import Iterator, Sequence

from deepaas import log
from deepaas.child_setup import ForkGuard
from deepaas.describer.described_model import DescribedModel
from deepaas.describer.description import (
    DESCRIBE,
    GET_METADATA,
    MAX_BYTES,
    ModelDescription,
    decode_description,
    encode_description,
)
from deepaas.describer.introspection import describe_model
from deepaas.errors import InvalidArguments, ModelLoadError
from deepaas.messages import Body, Call, Failure, Reply, WorkerConfig
from deepaas.model.failures import failure_from_exception
from deepaas.model.findings import Level
from deepaas.model.json_encoding import dumps
from deepaas.model.model import LoadedModel
from deepaas.model.signatures import check_functions
from deepaas.trainings.record import display_arguments
from deepaas.workers.child import PipeConnection, run_child
from deepaas.workers.shared_progress import SharedProgress


class DescriberExecutor:
    """Answers calls about a model: `DESCRIBE`, `GET_METADATA`, or a function whose arguments it validates."""

    def __init__(
        self, model: LoadedModel, config: WorkerConfig, _: PipeConnection, __: SharedProgress
    ) -> None:
        self._model = model.validate_declarations()
        self._fork_guard = ForkGuard()
        self._description = encode_description(_describe(model, config.target))
        DescribedModel(decode_description(self._description))  # fails now, rather than in the server

    def execute(self, call: Call, _: int) -> Reply:
        """Answer one call; any error of user code becomes a `Failure`."""
        log.request_id.set(call.request_id)
        began = time.perf_counter()
        outcome: Body | Failure
        try:
            with self._fork_guard:
                outcome = Body("", self._answer(call))
        except InvalidArguments as error:
            outcome = Failure(error.status, error.message, validation_errors=error.messages)
        except BaseException as error:  # noqa: BLE001 - user code may raise anything
            outcome = failure_from_exception(error)
        return Reply(outcome, time.perf_counter() - began, 0.0)

    def execute_batch(self, calls: Sequence[Call], numbers: Sequence[int]) -> Iterator[Reply]:
        """Answer several calls in order."""
        return map(self.execute, calls, numbers)

    def _answer(self, call: Call) -> bytes:
        if call.function == DESCRIBE:
            return self._description
        if call.function == GET_METADATA:
            return self._encode_metadata()
        return self._validate(call)

    def _encode_metadata(self) -> bytes:
        content = dumps(self._model.read_metadata())
        if len(content) > MAX_BYTES:
            raise ModelLoadError(f"get_metadata() returned more than {MAX_BYTES} bytes of JSON.")
        return content

    def _validate(self, call: Call) -> bytes:
        """Return the pickled arguments, how to display them, and whether they hold a password.

        The pickle is empty if the arguments cannot be pickled.
        """
        declared = self._model.get_arguments(call.function)
        arguments = declared.validate(call.arguments)
        is_training = call.function == "train"
        shown = display_arguments(declared.mask_passwords(arguments)) if is_training else {}
        try:
            pickled = pickle.dumps(arguments, protocol=5)
        except Exception:  # noqa: BLE001 - values of the model may raise any error when pickled
            pickled = b""
        return pickle.dumps((pickled, dumps(shown), declared.has_password(arguments)), protocol=5)


def _describe(model: LoadedModel, target: str) -> ModelDescription:
    findings = (finding for finding in check_functions(model, target) if finding.level is Level.ERROR)
    return describe_model(model, (f"{finding.text} {finding.hint}" for finding in findings))


if __name__ == "__main__":
    run_child(DescriberExecutor, *sys.argv[1:])
