"""What authors declare wrongly: it is told in one message, not in a traceback of somebody else's code."""

from types import SimpleNamespace
from typing import Any

import marshmallow
import pytest
from marshmallow import fields

from deepaas.errors import ModelLoadError
from deepaas.model.model import Model


class _Strange(marshmallow.Schema):
    count = fields.Int


class _Needy(marshmallow.Schema):
    def __init__(self, size: int) -> None:
        super().__init__()


def _broken(**declared: Any) -> ModelLoadError:
    with pytest.raises(ModelLoadError) as raised:
        Model("mine", SimpleNamespace(**declared)).validate_declarations()
    return raised.value


def test_class_in_schema() -> None:
    """A field's class where an instance is meant is told as it is for arguments."""
    message = _broken(schema={"ok": fields.Int(), "y": fields.Int}).message
    assert message.startswith("The schema of the model 'mine' declares 'y' as <class")
    assert message.endswith("Make it an instance of a marshmallow field, such as fields.Str().")


@pytest.mark.parametrize(
    ("schema", "reason"),
    [(_Strange, 'Field for "count" must be declared as a Field instance'), (_Needy, "'size'")],
)
def test_schema_that_cannot_be_made(schema: type[marshmallow.Schema], reason: str) -> None:
    """A Schema class that cannot be instantiated is broken, with the reason and its traceback."""
    error = _broken(schema=schema)
    assert error.message.startswith("The schema of the model 'mine' cannot be made: TypeError: ")
    assert reason in error.message
    assert error.detail.startswith("Traceback")


def test_no_field_in_schema(caplog: pytest.LogCaptureFixture) -> None:
    """What is no field at all is ignored, as by marshmallow, and named in the log."""
    model = Model(
        "mine", SimpleNamespace(schema={"ok": fields.Int(), "y": 5}, predict=dict)
    ).validate_declarations()
    assert model.schema is not None
    assert list(model.schema.fields) == ["ok"]
    (record,) = caplog.records
    assert (record.levelname, "'y' as 5" in record.getMessage()) == ("WARNING", True)


@pytest.mark.parametrize("function", ["get_predict_args", "get_train_args"])
def test_list_of_arguments(function: str) -> None:
    """Arguments that are no dictionary are told by their type; nothing at all is no arguments."""
    declared = {function: lambda: [fields.Int()]}
    assert _broken(**declared).message == (
        f"{function}() of the model 'mine' returned list, not a dictionary of fields."
    )
    empty: dict[str, Any] = {function: lambda: None}
    assert Model("mine", SimpleNamespace(**empty)).validate_declarations().predict_arguments.fields == {}
