"""The contract: the arguments and functions of the module that DEEPaaS uses."""

import io
import json
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from deepaas.model.v2.wrapper import UploadedFile
from marshmallow import Schema, ValidationError
from PIL import Image

from conftest import Upload
from digits import model, storage
from drawn import paint, write_digit

QUICK = {"hidden": 8, "epochs": 3, "augment": 0, "printed": 0}
THREE = UploadedFile("image", str(Path(__file__).parents[1] / "three.png"), "image/png", "three.png")


def test_entry_point_is_the_module() -> None:
    [entry_point] = entry_points(group="deepaas.v2.model", name="digits")
    assert entry_point.load() is model


def test_importing_is_light() -> None:
    program = (
        "import sys, digits.model\n"
        "digits.model.get_metadata(), digits.model.get_predict_args(), digits.model.get_train_args()\n"
        "print(sorted({'numpy', 'PIL', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_serving_does_without_scikit_learn(model_file: Path) -> None:
    program = (
        "import sys\n"
        "from digits import model\n"
        "from deepaas.model.v2.wrapper import UploadedFile\n"
        "model.warm()\n"
        f"result = model.predict(UploadedFile(filename={THREE.filename!r}))\n"
        "print(result['labels'][0], 'sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "3 False\n"


def test_metadata_is_the_distributions() -> None:
    assert model.get_metadata() == {
        "name": "digits",
        "version": "1.0.0",
        "description": "Recognise a handwritten digit in a picture, and retrain the recogniser.",
        "author": "The DEEPaaS developers",
        "license": "Apache-2.0",
    }


def test_prediction_fits_the_schema(model_file: Path) -> None:
    result = model.predict(THREE)
    assert isinstance(result, dict)
    assert Schema.from_dict(dict(model.schema))().validate(result) == {}
    assert result["labels"][0] == 3
    assert len(result["labels"]) == len(result["probabilities"]) == 3
    assert result["probabilities"] == sorted(result["probabilities"], reverse=True)
    assert result["version"] == storage.current().version
    json.dumps(result, allow_nan=False)


def test_all_ten_probabilities_make_one(model_file: Path) -> None:
    result = model.predict(THREE, top=10)
    assert isinstance(result, dict)
    assert sorted(result["labels"]) == list(range(10))
    assert sum(result["probabilities"]) == pytest.approx(1)


def test_png_is_a_picture(model_file: Path) -> None:
    result = model.predict(THREE, accept="image/png")
    assert isinstance(result, io.BytesIO)
    with Image.open(result) as picture:
        assert picture.format == "PNG"
        assert picture.getbbox() is not None


def test_zip_holds_both(model_file: Path) -> None:
    result = model.predict(THREE, top=2, accept="application/zip")
    assert isinstance(result, io.BytesIO)
    with zipfile.ZipFile(result) as archive:
        assert sorted(archive.namelist()) == ["result.json", "result.png"]
        assert json.loads(archive.read("result.json")) == model.predict(THREE, top=2)
        png = model.predict(THREE, top=2, accept="image/png")
        assert isinstance(png, io.BytesIO)
        assert archive.read("result.png") == png.read()


def test_blank_picture_is_a_bad_request(model_file: Path, upload: Upload) -> None:
    with pytest.raises(web.HTTPBadRequest) as raised:
        model.predict(upload(Image.new("RGB", (50, 50), "white")))
    assert raised.value.status == 400
    assert raised.value.reason.startswith("The picture is blank")


def test_not_a_picture_is_a_bad_request(model_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "upload.csv"
    path.write_text("3;5\n")
    with pytest.raises(web.HTTPBadRequest, match="can't be read as a picture"):
        model.predict(UploadedFile("image", str(path), "text/csv", "upload.csv"))


@pytest.mark.parametrize(
    ("function", "arguments", "wrong"),
    [
        ("predict", {}, "image"),
        ("predict", {"image": THREE, "top": 0}, "top"),
        ("predict", {"image": THREE, "top": 11}, "top"),
        ("predict", {"image": THREE, "accept": "text/html"}, "accept"),
        ("train", {"hidden": 0}, "hidden"),
        ("train", {"epochs": 0}, "epochs"),
        ("train", {"learning_rate": 0}, "learning_rate"),
        ("train", {"activation": "cube"}, "activation"),
        ("train", {"augment": -1}, "augment"),
        ("train", {"printed": -1}, "printed"),
        ("train", {"test_share": 0.9}, "test_share"),
        ("train", {"seed": -1}, "seed"),
    ],
)
def test_wrong_argument_is_named(function: str, arguments: dict[str, Any], wrong: str) -> None:
    declared = {"predict": model.get_predict_args, "train": model.get_train_args}[function]()
    with pytest.raises(ValidationError) as raised:
        Schema.from_dict(dict(declared))().load(arguments)
    assert list(raised.value.messages_dict) == [wrong]


def test_defaults_are_complete() -> None:
    """The defaults of the arguments are all that the functions need."""
    predict = Schema.from_dict(dict(model.get_predict_args()))().load({"image": THREE})
    assert predict == {"image": THREE, "top": 3, "accept": "application/json"}
    train = Schema.from_dict(dict(model.get_train_args()))().load({})
    assert set(train) == set(model.get_train_args())


def test_every_argument_is_described() -> None:
    for field in [*model.get_predict_args().values(), *model.get_train_args().values()]:
        assert field.metadata["description"].endswith(".")


def test_training_takes_over_in_a_new_worker(model_file: Path, upload: Upload) -> None:
    before = model.predict(THREE)
    result = model.train(**QUICK)
    storage.forget()
    after = model.predict(THREE)
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert after["version"] == result["version"] != before["version"]
    assert after["probabilities"] != before["probabilities"]


def test_training_says_what_it_did(empty_folder: Path) -> None:
    result = model.train(**QUICK, seed=4, test_share=0.25, learning_rate=0.01)
    assert result["hyperparameters"] == {
        **QUICK,
        "activation": "relu",
        "learning_rate": 0.01,
        "seed": 4,
        "test_share": 0.25,
    }
    assert (result["learnt_from"], result["held_out"]) == (1347, 450)
    assert 0.5 < result["accuracy"] <= 1
    assert result["model_file"] == str(storage.model_path())
    assert storage.model_path().exists()
    json.dumps(result)


def test_training_prints_each_epoch(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = model.train(**QUICK)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" - ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert lines[-1].endswith(f" - accuracy: {result['accuracy']:.4f}")


def test_warming_without_a_file_writes_one(empty_folder: Path, upload: Upload) -> None:
    model.warm()
    version = storage.current().version
    model.warm()
    assert storage.current().version == version
    result = model.predict(upload(paint(write_digit(7, (150, 100)))))
    assert isinstance(result, dict)
    assert result["labels"][0] == 7


def test_many_at_once(model_file: Path, upload: Upload, tmp_path: Path) -> None:
    """In a batch, each picture gets the same result as alone; a blank one gets its own error."""
    blank = tmp_path / "blank.png"
    Image.new("RGB", (50, 50), "white").save(blank)
    seven = upload(paint(write_digit(7, (150, 100))))
    images = [THREE, UploadedFile("image", str(blank), "image/png", "blank.png"), seven]
    calls = [{"image": image, "top": 2, "accept": "application/json"} for image in images]
    first, error, last = model.predict_batch(calls)
    assert isinstance(error, web.HTTPBadRequest)
    for found, image in ((first, THREE), (last, seven)):
        alone = model.predict(image, top=2)
        assert found["labels"] == alone["labels"]
        assert found["probabilities"] == pytest.approx(alone["probabilities"])
    assert model.predict_batch([calls[1]])[0].status == 400
