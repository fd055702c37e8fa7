"""The names that model authors import."""

import pytest

from deepaas.model.v2.base import BaseModel
from deepaas.model.v2.wrapper import ReturnedFile, UploadedFile

FIELDS = ("name", "filename", "content_type", "original_filename")
FUNCTIONS = ("get_metadata", "predict", "get_predict_args", "train", "get_train_args", "warm")


@pytest.mark.parametrize("kind", [UploadedFile, ReturnedFile])
def test_files(kind: type) -> None:
    """Files are named tuples of four optional fields."""
    assert kind._fields == FIELDS
    assert kind() == (None, None, None, None)
    made = kind("a", "b", content_type="c")
    assert made._asdict() == {
        "name": "a",
        "filename": "b",
        "content_type": "c",
        "original_filename": None,
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_base(name: str) -> None:
    """The base class documents every function and implements none."""
    function = getattr(BaseModel, name)
    assert len(function.__doc__.splitlines()) > 2
    with pytest.raises(NotImplementedError):
        function(BaseModel())


def test_schema() -> None:
    assert BaseModel.schema is None
