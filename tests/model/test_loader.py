"""Finding and importing models, without a server."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepaas.errors import ModelLoadError, ModelNotFound
from deepaas.model import loader
from support.server import GROUP, distribution, install

WHERE = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _imports(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restore sys.path and sys.modules."""
    monkeypatch.syspath_prepend(WHERE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("models.as_module", "module"),
        ("models.as_class:Model", "Model"),
        ("models.as_class:an_object", "Model"),
        ("models.as_class:an_object.predict", "method"),
        (str(WHERE / "models" / "as_class.py"), "module"),
        (str(WHERE / "models" / "as_class.py:Model"), "Model"),
    ],
)
def test_load(target: str, kind: str) -> None:
    """A target is a module, an object, or a class to instantiate, by module name or file."""
    assert type(loader.load(target)).__name__ == kind


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("models.nowhere", "ModuleNotFoundError"),
        ("models.as_class:Nobody", "Nobody"),
        ("models.faulty.on_import", "RuntimeError: broken on purpose"),
        ("models.faulty.leaves", "SystemExit: I leave"),
        ("./nowhere.py", "nowhere.py"),
    ],
)
def test_broken(target: str, reason: str) -> None:
    """The error has the reason and the traceback."""
    with pytest.raises(ModelLoadError) as raised:
        loader.load(target)
    assert target in raised.value.message
    assert reason in raised.value.message
    assert raised.value.detail.startswith("Traceback")


def test_select(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Select all models, the one with the name, or the target."""
    install(tmp_path, {"b": "models.as_module", "a": "models.as_class:Model"})
    monkeypatch.syspath_prepend(tmp_path)
    assert loader.select_models() == {"a": "models.as_class:Model", "b": "models.as_module"}
    assert loader.select_models("b") == {"b": "models.as_module"}
    assert loader.select_models("x", "other.module") == {"x": "other.module"}
    assert loader.select_models("", "other.module:Class") == {"module": "other.module:Class"}
    with pytest.raises(ModelNotFound, match="Installed: a, b"):
        loader.select_models("c")


def test_nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error explains how to declare a model."""
    install(tmp_path, {})
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelNotFound, match=r"project\.entry-points"):
        loader.select_models()


@pytest.mark.parametrize(
    ("entry_points", "said"),
    [
        ("iris = iris-deepaas", "'iris = iris-deepaas' of the package other"),
        ("iris = a.b:", "'iris = a.b:' of the package other"),
        ("no equals sign", "entry points of the package other cannot be read"),
    ],
)
def test_malformed_entry_point(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    entry_points: str,
    said: str,
) -> None:
    """A malformed entry point of another package is logged and skipped."""
    install(tmp_path, {"good": "models.as_module"})
    distribution(tmp_path, "other", f"[{GROUP}]\n{entry_points}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert loader.select_models("good") == {"good": "models.as_module"}
    assert [said in message for message in caplog.messages] == [True], caplog.messages


def test_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file's path becomes absolute; a module's name does not change."""
    monkeypatch.chdir(tmp_path)
    assert loader.resolve_target_path("./a.py:B") == f"{tmp_path.resolve()}/a.py:B"
    assert loader.resolve_target_path("a.b:C") == "a.b:C"
