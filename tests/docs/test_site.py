"""The documentation builds without warnings, and its reference pages are complete."""

import html
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from deepaas import errors
from deepaas.cmd.cli import commands
from deepaas.cmd.cli import main as cli
from deepaas.cmd.run import main as run
from deepaas.config.settings import Settings, list_options
from deepaas.http.routes import iterate_routes
from deepaas.metrics import Metrics
from deepaas.trainings.record import TrainingState
from runner.page import CHECKOUT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the built site; fail on any warning."""
    folder = tmp_path_factory.mktemp("site")
    flags = [
        "--fail-on-warning",
        "--keep-going",
        "--nitpicky",
        "--quiet",
        "--doctree-dir",
        str(folder / "trees"),
    ]
    command = [sys.executable, "-m", "sphinx", *flags, str(CHECKOUT / "docs"), str(folder / "html")]
    built = subprocess.run(command, text=True, capture_output=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder / "html"


def words(site: Path, page: str) -> set[str]:
    """Return all texts in code format on a page of the reference."""
    text = (site / "reference" / f"{page}.html").read_text()
    found = re.findall(r"<code[^>]*>(.*?)</code>", text, re.DOTALL)
    return {html.unescape(re.sub(r"<[^>]+>", "", one)) for one in found}


def test_options_are_documented(site: Path) -> None:
    """Every option is documented with its variables, key and flag."""
    said = words(site, "options")
    for row in list_options():
        assert {row.cli_name, *row.env_vars} <= said
        assert f"--{row.cli_name}" in said or not row.has_flag


def flags(params: list[click.Parameter]) -> Iterator[str]:
    for param in params:
        if isinstance(param, click.Option):
            yield from (*param.opts, *param.secondary_opts)


def test_commands_are_documented(site: Path) -> None:
    """Every flag of the commands is documented, and every method with its own flags."""
    said = words(site, "command-line")
    assert set(flags(run.params)) | set(flags(cli.params)) <= said
    assert {"--input-file", "-i", "--output", "-o", "--content-type", "-ct", "--url", "--nourl"} <= said
    text = (site / "reference" / "command-line.html").read_text()
    for name, method in commands.METHODS.items():
        assert f"deepaas-cli {name}" in said
        assert html.escape(method.help, quote=False) in re.sub("[\u2018\u2019]", "'", text)
    for name in ("check", "new"):
        command = commands.load_command(name, click.Context(cli))
        assert command
        assert set(flags(command.params)) <= said
    assert {"NAME", "--output-dir", "--resume", "--fail-fast", "--shard", "--predict-timeout"} <= said


def test_routes_are_documented(site: Path) -> None:
    """Every route is documented by method and path."""
    said = words(site, "http")
    for route in iterate_routes(Settings()):
        assert f"{route.method} {route.path.replace(':.+', '') or '/'}" in said


def test_metrics_are_documented(site: Path) -> None:
    said = words(site, "metrics")
    sent = Metrics().to_prometheus_text().decode()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", sent, re.MULTILINE):
        if not name.endswith("_created"):
            assert {name, f"{name}_sum" if kind == "histogram" else name} & said, name


def test_errors_are_documented(site: Path) -> None:
    said = words(site, "errors")
    for found in vars(errors).values():
        if isinstance(found, type) and issubclass(found, errors.DeepaasError):
            assert found.__name__ in said


def test_states_are_documented(site: Path) -> None:
    """Every state is documented, with the corresponding word of the V2 API."""
    assert {word for state in TrainingState for word in (state.value, state.status)} <= words(
        site, "trainings"
    )


@pytest.mark.parametrize("name", ["BaseModel.predict", "UploadedFile", "ReturnedFile", "report", "artifacts"])
def test_names_for_authors_are_documented(site: Path, name: str) -> None:
    text = (site / "reference" / "python.html").read_text()
    assert re.search(rf'id="deepaas\.[\w.]*{re.escape(name)}"', text)
