"""A model as the server knows it: built from its description."""

from deepaas.describer.description import FunctionDescription, ModelDescription
from deepaas.describer.field_states import rebuild
from deepaas.errors import FunctionNotImplemented
from deepaas.model.arguments import Arguments


class DescribedModel:
    """A description, and the arguments of the model's functions.

    Raise `KeyError`, `TypeError`, `ValueError` or `AttributeError` for an invalid state of a field.
    """

    def __init__(self, description: ModelDescription) -> None:
        self.description = description
        self.predict_arguments = _rebuild_arguments(description.predict)
        self.train_arguments = _rebuild_arguments(description.train)

    @property
    def runs_user_code(self) -> bool:
        """Whether the validation of any arguments runs user code."""
        return self.description.predict.runs_user_code or self.description.train.runs_user_code

    def require_function(self, function: str) -> None:
        """Raise `FunctionNotImplemented` if the model lacks the function."""
        if function not in self.description.functions:
            raise FunctionNotImplemented(f"The model '{self.description.name}' has no function '{function}'.")


def _rebuild_arguments(function: FunctionDescription) -> Arguments:
    fields = {argument.name: rebuild(argument.field) for argument in function.arguments}
    return Arguments(fields, accept=function.accept)
