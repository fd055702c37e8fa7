"""Syntax of the files in deploy/ray/."""

import subprocess
from pathlib import Path

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy" / "ray"


def test_kubernetes() -> None:
    """The manifest defines a cluster, and a server whose command selects the engine."""
    cluster, server = yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text())
    assert cluster["kind"] == "RayCluster"
    assert "--engine ray" in server["spec"]["template"]["spec"]["containers"][0]["args"][0]


def test_slurm_script_is_valid_bash() -> None:
    subprocess.run(["bash", "-n", DEPLOY / "deepaas.sbatch"], check=True)
