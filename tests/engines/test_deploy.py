"""The files that bring a cluster up are what their readers take."""

import subprocess
from pathlib import Path

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy" / "ray"


def test_kubernetes() -> None:
    """The manifest is YAML with a cluster and a server whose command names the engine."""
    cluster, server = yaml.safe_load_all((DEPLOY / "kuberay.yaml").read_text())
    assert cluster["kind"] == "RayCluster"
    assert "--engine ray" in server["spec"]["template"]["spec"]["containers"][0]["args"][0]


def test_slurm() -> None:
    """The job is a script that a shell can read."""
    subprocess.run(["bash", "-n", DEPLOY / "deepaas.sbatch"], check=True)
