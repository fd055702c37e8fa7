"""Choice of the engine, and the errors if it cannot be used."""

import subprocess
import sys
from pathlib import Path

import pytest

from deepaas.config.settings import Settings
from deepaas.engines import create_engine
from deepaas.errors import SettingsError
from support.server import run_until_exit

WAITING = {"waiting": "models.waiting"}
NO_RAY = (
    "import sys; sys.modules['ray'] = None\n"
    "from deepaas.engines import create_engine\n"
    "from deepaas.config.settings import Settings\n"
    "create_engine(Settings(engine='ray'))\n"
)


def test_local_engine_does_not_import_ray() -> None:
    code = (
        "import sys, deepaas.cmd.serve\n"
        "from deepaas.engines import create_engine\n"
        "from deepaas.config.settings import Settings\n"
        "create_engine(Settings())\n"
        "assert 'ray' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_ray_error_names_the_command_to_install_it() -> None:
    found = subprocess.run([sys.executable, "-c", NO_RAY], capture_output=True, text=True, check=False)
    assert "pip install 'deepaas[ray]'" in found.stderr


@pytest.mark.parametrize("name", ["ray_address", "worker_gpus", "worker_cpus", "train_gpus", "train_cpus"])
def test_options_of_ray(name: str) -> None:
    """An option of the Ray engine combined with the local engine is an error that names both."""
    value = "127.0.0.1:1" if name == "ray_address" else 2.0
    with pytest.raises(SettingsError, match=f"--{name.replace('_', '-')} is for --engine ray"):
        create_engine(Settings(**{name: value}))


def test_server_without_a_cluster_exits_with_advice(tmp_path: Path) -> None:
    flags = ("--engine", "ray", "--ray-address", "127.0.0.2:1")
    ended = run_until_exit(tmp_path, *flags, models=WAITING)
    assert ended.returncode == 2, ended.stdout
    assert "ray start --head" in ended.stdout
