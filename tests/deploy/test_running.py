"""The parts of deploy/ that run without a container engine."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support import deploy_files
from support.server import END_S, START_S, Output, Server, environment, serving

MODEL = {"as_module": "models.as_module"}


def found(command: str) -> str:
    """Return the path of a command; commands of the test environment come first."""
    path = shutil.which(command, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin")
    assert path, f"{command} is not installed: make setup"
    return path


def test_health_check(deployed_url: str) -> None:
    """The image's health check succeeds if a server is ready, and fails if there is none."""
    _, *arguments = deploy_files.instruction("HEALTHCHECK")
    port = str(urlsplit(deployed_url).port)
    env = {"DEEPAAS_LISTEN_PORT": port, "http_proxy": "http://127.0.0.1:1"}
    assert subprocess.run([sys.executable, *arguments], env=env, check=False).returncode == 0
    nowhere = env | {"DEEPAAS_BASE_PATH": "/nowhere"}
    assert subprocess.run([sys.executable, *arguments], env=nowhere, check=False).returncode == 1


@pytest.mark.parametrize("written", ["below", "/below/it/"])
def test_health_check_below_a_path(tmp_path: Path, written: str) -> None:
    """The health check accepts the base path in the same notations as the server."""
    _, *arguments = deploy_files.instruction("HEALTHCHECK")
    base = {"DEEPAAS_BASE_PATH": written}
    with serving(tmp_path, models=MODEL, env=base) as server:
        env = base | {"DEEPAAS_LISTEN_PORT": str(urlsplit(server.url).port)}
        assert subprocess.run([sys.executable, *arguments], env=env, check=False).returncode == 0


@pytest.mark.parametrize("way", ["image", "systemd"])
def test_entry(tmp_path: Path, way: str) -> None:
    """The command of the image and of the unit serves with their settings, and exits with 0 after SIGTERM."""
    if way == "image":
        command, settings = deploy_files.instruction("ENTRYPOINT"), deploy_files.image_environment()
    else:
        command = [Path(deploy_files.unit("ExecStart")[0]).name]
        settings = dict(value.split("=", 1) for value in deploy_files.unit("Environment"))
    at_home = {name: text.replace(settings["HOME"], str(tmp_path)) for name, text in settings.items()}
    at_home |= {"DEEPAAS_LISTEN_PORT": "0", "DEEPAAS_LISTEN_IP": "127.0.0.1", "PATH": os.environ["PATH"]}
    process = subprocess.Popen(
        [found(word) if word in ("tini", "deepaas-run") else word for word in command],
        env=environment(tmp_path, MODEL, at_home | {"TINI_SUBREAPER": "1"}),
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output = Output(process.stdout)
    output.start()
    output.wait_for(r"Serving as_module on http://", START_S)
    assert (tmp_path / "state" / "trainings.sqlite").exists()
    process.send_signal(signal.SIGTERM)
    assert process.wait(END_S) == 0, output.text


@pytest.fixture
def deployed_url(deployed: Server) -> str:
    return deployed.url
