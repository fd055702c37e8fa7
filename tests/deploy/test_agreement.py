"""The files in deploy/ agree with the server and with each other."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from deepaas.config.settings import Settings, list_options
from deepaas.http.routes import iterate_routes
from support import deploy_files

VARIABLES = {variable for row in list_options() for variable in row.env_vars}
PATHS = {route.path for route in iterate_routes(Settings())}


@pytest.mark.parametrize("path", deploy_files.files(), ids=lambda path: path.name)
def test_options_exist(path: Path) -> None:
    text = path.read_text()
    flags = {f"--{row.cli_name}" for row in list_options()}
    assert set(re.findall(r"\bDEEPAAS_[A-Z_]+[A-Z]\b", text)) <= VARIABLES
    named = set(re.findall(r"--(?:client-max|predict-t|cancel-g|base-p|drain-t|on-s|auth-)[a-z-]+", text))
    assert named <= flags


@pytest.mark.parametrize("name", deploy_files.pods())
def test_pod(name: str) -> None:
    """A pod's probes use existing routes on the server's port; only its volumes are writable."""
    pod = deploy_files.pods()[name]
    (container,) = pod["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"] in PATHS
        assert container[probe]["httpGet"]["port"] == "http"
    assert container["livenessProbe"]["httpGet"]["path"].endswith("/live")
    (port,) = container["ports"]
    assert (port["name"], port["containerPort"]) == ("http", Settings().listen_port)
    assert container["securityContext"]["readOnlyRootFilesystem"]
    home = deploy_files.image_environment()["HOME"]
    assert {home, "/tmp", "/dev/shm"} <= {mount["mountPath"] for mount in container["volumeMounts"]}
    assert f"useradd --uid {pod['securityContext']['runAsUser']} " in deploy_files.DOCKERFILE


def test_tokens() -> None:
    """Servers that other machines can reach require tokens from a mounted file; others listen locally."""
    config = deploy_files.manifests()["kubernetes/configmap.yaml"]["data"]
    servers = [(pod, config["DEEPAAS_AUTH_TOKEN_FILE"]) for pod in deploy_files.pods().values()]
    ray = list(yaml.safe_load_all((deploy_files.DEPLOY / "ray" / "kuberay.yaml").read_text()))[-1]
    pod = ray["spec"]["template"]["spec"]
    environment = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    for served, file in [*servers, (pod, environment["DEEPAAS_AUTH_TOKEN_FILE"])]:
        places = {mount["mountPath"]: mount["name"] for mount in served["containers"][0]["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in served["volumes"]}
        assert volumes[places[str(Path(file).parent)]]["secret"]["secretName"] == "deepaas-tokens"
        assert Path(file).name in deploy_files.manifests()["kubernetes/secret.yaml"]["stringData"]
    (task,) = deploy_files.job()["task"][0].values()
    assert task["env"][0]["DEEPAAS_AUTH_TOKEN_FILE"]
    assert "--auth-token-file" in (deploy_files.DEPLOY / "ray" / "deepaas.sbatch").read_text()
    digits = deploy_files.COMPOSE["services"]["digits"]
    assert all(port.startswith("127.0.0.1:") for port in digits["ports"])
    prometheus = (deploy_files.DEPLOY / "prometheus" / "prometheus.yml").read_text()
    assert f"{digits['environment']['DEEPAAS_ALLOWED_HOSTS']}:5000" in prometheus


def test_kubernetes_names() -> None:
    """Selectors match pods, and references resolve."""
    found = deploy_files.manifests().values()
    made = [
        one["spec"]["template"]["metadata"]["labels"] for one in found if "template" in one.get("spec", {})
    ]
    services = [one for one in found if one.get("kind") == "Service"]
    assert services
    for service in services:
        assert any(service["spec"]["selector"].items() <= labels.items() for labels in made)
    names = {(one["kind"], one["metadata"]["name"]) for one in found if "kind" in one}
    for pod in deploy_files.pods().values():
        (container,) = pod["containers"]
        assert ("ConfigMap", container["envFrom"][0]["configMapRef"]["name"]) in names
        for volume in pod["volumes"]:
            secret = volume.get("secret", {}).get("secretName")
            assert not secret or ("Secret", secret) in names
    (scaler,) = (one for one in found if one.get("kind") == "HorizontalPodAutoscaler")
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) in names


def test_stop_timeouts() -> None:
    """Stop timeouts exceed the sum of pause, drain timeout and cancel grace."""
    config = deploy_files.manifests()["kubernetes/configmap.yaml"]["data"]
    grace_s = Settings().cancel_grace
    for pod in deploy_files.pods().values():
        pause_s = float(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
        takes_s = pause_s + float(config["DEEPAAS_DRAIN_TIMEOUT"]) + grace_s
        assert pod["terminationGracePeriodSeconds"] > takes_s
    digits = deploy_files.COMPOSE["services"]["digits"]
    drains_s = float(digits["environment"]["DEEPAAS_DRAIN_TIMEOUT"])
    assert deploy_files.seconds(digits["stop_grace_period"]) > drains_s + grace_s
    (task,) = deploy_files.job()["task"][0].values()
    assert (
        deploy_files.seconds(task["kill_timeout"])
        > float(task["env"][0]["DEEPAAS_DRAIN_TIMEOUT"].strip('"')) + grace_s
    )
    drain = next(value for value in deploy_files.unit("Environment") if "DRAIN" in value)
    assert float(deploy_files.unit("TimeoutStopSec")[0]) > float(drain.partition("=")[2]) + grace_s


def test_ports_and_paths() -> None:
    """Image, compose file, Nomad job and Prometheus agree on port, routes and home directory."""
    port = str(Settings().listen_port)
    image = deploy_files.image_environment()
    assert image["DEEPAAS_LISTEN_PORT"] == port
    assert f"EXPOSE {port}\n" in deploy_files.DOCKERFILE
    assert f"VOLUME {image['HOME']}\n" in deploy_files.DOCKERFILE
    assert image["DEEPAAS_STATE_DIR"].startswith(f"{image['HOME']}/")
    digits = deploy_files.COMPOSE["services"]["digits"]
    assert digits["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert digits["volumes"] == [f"state:{image['HOME']}"]
    group = deploy_files.job()
    assert group["service"][0]["check"][0]["path"].strip('"') in PATHS
    (network,) = group["network"][0]["port"][0].values()
    assert network["to"] == int(port)
    prometheus = (deploy_files.DEPLOY / "prometheus" / "prometheus.yml").read_text()
    assert f"digits:{port}" in prometheus
    assert "metrics_path: /metrics" in prometheus


def test_files_copied_into_the_image_exist() -> None:
    seen = {
        line[1:] for line in (deploy_files.ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", deploy_files.DOCKERFILE, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (deploy_files.ROOT / name).exists()
        assert name in seen


def test_image_has_locked_packages() -> None:
    """The image installs locked versions, with hashes, that pyproject.toml allows."""
    project = tomllib.loads((deploy_files.ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["postgresql"]]
    text = (deploy_files.DEPLOY / "requirements.txt").read_text()
    locked = dict(re.findall(r"^([\w.-]+)==(\S+) .*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE))
    assert len(locked) == len(re.findall(r"^[\w.-]+==", text, re.MULTILINE))
    for requirement in map(Requirement, needed):
        if requirement.marker is None or requirement.marker.evaluate():
            assert requirement.specifier.contains(locked[requirement.name.lower()]), requirement
    assert "--require-hashes --requirement requirements.txt" in deploy_files.DOCKERFILE
