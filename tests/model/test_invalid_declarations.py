"""Invalid declarations of model authors: one message, not a traceback from a library."""

from types import SimpleNamespace
from typing import Any

import marshmallow
import pytest
from marshmallow import fields

from deepaas.errors import ModelLoadError
from deepaas.model.model import LoadedModel


class _Strange(marshmallow.Schema):
    count = fields.Int


class _Needy(marshmallow.Schema):
    def __init__(self, size: int) -> None:
        super().__init__()


def _broken(**declared: Any) -> ModelLoadError:
    with pytest.raises(ModelLoadError) as raised:
        LoadedModel("mine", SimpleNamespace(**declared)).validate_declarations()
    return raised.value


def test_class_in_schema() -> None:
    """The error for a field class without parentheses is the same as for arguments."""
    message = _broken(schema={"ok": fields.Int(), "y": fields.Int}).message
    assert message.startswith("The schema of the model 'mine' declares 'y' as <class")
    assert message.endswith("Make it an instance of a marshmallow field, such as fields.Str().")


@pytest.mark.parametrize(
    ("schema", "reason"),
    [(_Strange, 'Field for "count" must be declared as a Field instance'), (_Needy, "'size'")],
)
def test_schema_that_cannot_be_made(schema: type[marshmallow.Schema], reason: str) -> None:
    """The error has the reason and the traceback."""
    error = _broken(schema=schema)
    assert error.message.startswith("The schema of the model 'mine' cannot be instantiated: TypeError: ")
    assert reason in error.message
    assert error.detail.startswith("Traceback")


def test_no_field_in_schema(caplog: pytest.LogCaptureFixture) -> None:
    """A value that is not a field is ignored, with a warning."""
    model = LoadedModel(
        "mine", SimpleNamespace(schema={"ok": fields.Int(), "y": 5}, predict=dict)
    ).validate_declarations()
    assert model.schema is not None
    assert list(model.schema.fields) == ["ok"]
    (record,) = caplog.records
    assert (record.levelname, "'y' as 5" in record.getMessage()) == ("WARNING", True)


@pytest.mark.parametrize("function", ["get_predict_args", "get_train_args"])
def test_list_of_arguments(function: str) -> None:
    """The error names the returned type; None means no arguments."""
    declared = {function: lambda: [fields.Int()]}
    assert _broken(**declared).message == (
        f"{function}() of the model 'mine' returned list, not a dictionary of fields."
    )
    empty: dict[str, Any] = {function: lambda: None}
    assert (
        LoadedModel("mine", SimpleNamespace(**empty)).validate_declarations().predict_arguments.fields == {}
    )
