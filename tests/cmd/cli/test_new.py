"""`deepaas-cli new`: the created package can be installed, tested and served unchanged."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepaas.client import Client, TrainingFailed
from support.cli import RUN_S, Ended, refused, run
from support.server import CALL_S, TESTS, environment, serving

pytestmark = pytest.mark.slow
POINTS = "0,1\n1,3\n2,5\n"


def python(folder: Path, *line: str, env: dict[str, str]) -> Ended:
    """Run Python until it exits."""
    return subprocess.run(
        [sys.executable, *line],
        cwd=folder,
        env=env,
        text=True,
        capture_output=True,
        timeout=RUN_S,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a new package and its installed metadata."""
    folder = tmp_path_factory.mktemp("new")
    done = run(folder, "new", "my_model", "--author", 'Ada "A" L', models={})
    assert done.returncode == 0, done.stderr
    assert "deepaas-run --model-name my_model" in done.stdout
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    installed = python(folder, *install, "--target", "site", "./my_model", env=dict(os.environ))
    assert installed.returncode == 0, installed.stderr
    return folder


@pytest.fixture(scope="module")
def env(folder: Path) -> dict[str, str]:
    """Return an environment in which only the new model is installed."""
    places = [folder / "site", folder / "installed", TESTS]
    more = {"PYTHONPATH": os.pathsep.join(map(str, places)), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return environment(folder, {}, more)


def test_its_own_test(folder: Path, env: dict[str, str]) -> None:
    done = python(folder / "my_model", "-m", "pytest", "-q", "-p", "no:cacheprovider", env=env)
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


def test_nothing_to_mend(folder: Path, env: dict[str, str]) -> None:
    """`deepaas-cli check` has no findings."""
    done = python(folder, "-m", "deepaas.cmd.cli", "check", "--predict", env=env)
    assert done.returncode == 0
    assert "Found: 0 error, 0 warning, 0 note" in done.stdout


def test_served(tmp_path: Path, env: dict[str, str]) -> None:
    """The new model's metadata, predictions and trainings work."""
    path = {"PYTHONPATH": env["PYTHONPATH"]}
    with serving(tmp_path, models={}, env=path) as server, Client(server.url) as client:
        model = client["my_model"]
        metadata = model.metadata()
        assert (metadata["author"], metadata["license"]) == ('Ada "A" L', "Apache-2.0")
        assert model.predict(x=[1, 2]) == {"y": [1, 2]}
        training = model.train(points=("points.csv", POINTS.encode()), epochs=200)
        assert training.wait(CALL_S)["result"]["output"]["slope"] == pytest.approx(2)
        assert [file["path"] for file in training.artifacts()] == ["line.json"]
        assert len(training.metrics()) == 200
        model.reload()
        assert model.predict(x=[3])["y"] == pytest.approx([7])
        with pytest.raises(TrainingFailed, match="The file is empty"):
            model.train(points=b"").wait(CALL_S)


@pytest.mark.parametrize("name", ["my-model", "class", "json", "deepaas", "../größe"])
def test_bad_names(tmp_path: Path, name: str) -> None:
    """The error for an invalid package name has the expected form."""
    said = refused(run(tmp_path, "new", name, models={}))
    assert "as in my_model" in said or "choose another" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["installed", "scratch"]


def test_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").write_text("x")
    assert "already exists" in refused(run(tmp_path, "new", "there", models={}))
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["mine"]
