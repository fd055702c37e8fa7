"""Installs the benchmark models as entry points of a distribution."""

from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

_GROUP = "deepaas.v2.model"


def install_models(folder: Path, models: Mapping[str, str]) -> None:
    """Declare `models`, modules by name, in an installed distribution, and hide the models of all others."""
    lines = "".join(f"{name} = {module}\n" for name, module in models.items())
    _declare(folder, "benchmarked", f"[{_GROUP}]\n{lines}")
    for other in distributions():
        if any(point.group == _GROUP for point in other.entry_points):
            _declare(folder, other.name, "")


def _declare(folder: Path, name: str, entry_points: str) -> None:
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
