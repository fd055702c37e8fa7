"""What the files in deploy/ say agrees with the server, and with each other."""

import re
import tomllib
from pathlib import Path

import deployed
import pytest
import yaml
from packaging.requirements import Requirement

from deepaas.config.settings import Settings, list_options
from deepaas.http.routes import iterate_routes

VARIABLES = {variable for row in list_options() for variable in row.env_vars}
PATHS = {route.path for route in iterate_routes(Settings())}


@pytest.mark.parametrize("path", deployed.files(), ids=lambda path: path.name)
def test_options(path: Path) -> None:
    """Each variable and flag of the server that a file names is one of the table."""
    text = path.read_text()
    flags = {f"--{row.cli_name}" for row in list_options()}
    assert set(re.findall(r"\bDEEPAAS_[A-Z_]+[A-Z]\b", text)) <= VARIABLES
    named = set(re.findall(r"--(?:client-max|predict-t|cancel-g|base-p|drain-t|on-s|auth-)[a-z-]+", text))
    assert named <= flags


@pytest.mark.parametrize("name", deployed.pods())
def test_pod(name: str) -> None:
    """A pod's probes ask routes that exist, on the server's port; it may write its volumes only."""
    pod = deployed.pods()[name]
    (container,) = pod["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"] in PATHS
        assert container[probe]["httpGet"]["port"] == "http"
    assert container["livenessProbe"]["httpGet"]["path"].endswith("/live")
    (port,) = container["ports"]
    assert (port["name"], port["containerPort"]) == ("http", Settings().listen_port)
    assert container["securityContext"]["readOnlyRootFilesystem"]
    home = deployed.image_environment()["HOME"]
    assert {home, "/tmp", "/dev/shm"} <= {mount["mountPath"] for mount in container["volumeMounts"]}
    assert f"useradd --uid {pod['securityContext']['runAsUser']} " in deployed.DOCKERFILE


def test_tokens() -> None:
    """Whatever others reach wants tokens, from a file that is there; what has none is for one machine."""
    config = deployed.manifests()["kubernetes/configmap.yaml"]["data"]
    servers = [(pod, config["DEEPAAS_AUTH_TOKEN_FILE"]) for pod in deployed.pods().values()]
    ray = list(yaml.safe_load_all((deployed.DEPLOY / "ray" / "kuberay.yaml").read_text()))[-1]
    pod = ray["spec"]["template"]["spec"]
    environment = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    for served, file in [*servers, (pod, environment["DEEPAAS_AUTH_TOKEN_FILE"])]:
        places = {mount["mountPath"]: mount["name"] for mount in served["containers"][0]["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in served["volumes"]}
        assert volumes[places[str(Path(file).parent)]]["secret"]["secretName"] == "deepaas-tokens"
        assert Path(file).name in deployed.manifests()["kubernetes/secret.yaml"]["stringData"]
    (task,) = deployed.job()["task"][0].values()
    assert task["env"][0]["DEEPAAS_AUTH_TOKEN_FILE"]
    assert "--auth-token-file" in (deployed.DEPLOY / "ray" / "deepaas.sbatch").read_text()
    digits = deployed.COMPOSE["services"]["digits"]
    assert all(port.startswith("127.0.0.1:") for port in digits["ports"])
    prometheus = (deployed.DEPLOY / "prometheus" / "prometheus.yml").read_text()
    assert f"{digits['environment']['DEEPAAS_ALLOWED_HOSTS']}:5000" in prometheus


def test_kubernetes_names() -> None:
    """Selectors choose pods that are made, and what is referred to is there."""
    found = deployed.manifests().values()
    made = [
        one["spec"]["template"]["metadata"]["labels"] for one in found if "template" in one.get("spec", {})
    ]
    services = [one for one in found if one.get("kind") == "Service"]
    assert services
    for service in services:
        assert any(service["spec"]["selector"].items() <= labels.items() for labels in made)
    names = {(one["kind"], one["metadata"]["name"]) for one in found if "kind" in one}
    for pod in deployed.pods().values():
        (container,) = pod["containers"]
        assert ("ConfigMap", container["envFrom"][0]["configMapRef"]["name"]) in names
        for volume in pod["volumes"]:
            secret = volume.get("secret", {}).get("secretName")
            assert not secret or ("Secret", secret) in names
    (scaler,) = (one for one in found if one.get("kind") == "HorizontalPodAutoscaler")
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) in names


def test_time_to_end() -> None:
    """Whoever stops the server waits longer than pause, draining and the grace of trainings together."""
    config = deployed.manifests()["kubernetes/configmap.yaml"]["data"]
    grace_s = Settings().cancel_grace
    for pod in deployed.pods().values():
        pause_s = float(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
        takes_s = pause_s + float(config["DEEPAAS_DRAIN_TIMEOUT"]) + grace_s
        assert pod["terminationGracePeriodSeconds"] > takes_s
    digits = deployed.COMPOSE["services"]["digits"]
    drains_s = float(digits["environment"]["DEEPAAS_DRAIN_TIMEOUT"])
    assert deployed.seconds(digits["stop_grace_period"]) > drains_s + grace_s
    (task,) = deployed.job()["task"][0].values()
    assert (
        deployed.seconds(task["kill_timeout"])
        > float(task["env"][0]["DEEPAAS_DRAIN_TIMEOUT"].strip('"')) + grace_s
    )
    drain = next(value for value in deployed.unit("Environment") if "DRAIN" in value)
    assert float(deployed.unit("TimeoutStopSec")[0]) > float(drain.partition("=")[2]) + grace_s


def test_ports_and_paths() -> None:
    """Image, compose file, Nomad job and Prometheus speak of one port, of routes that exist and one home."""
    port = str(Settings().listen_port)
    image = deployed.image_environment()
    assert image["DEEPAAS_LISTEN_PORT"] == port
    assert f"EXPOSE {port}\n" in deployed.DOCKERFILE
    assert f"VOLUME {image['HOME']}\n" in deployed.DOCKERFILE
    assert image["DEEPAAS_STATE_DIR"].startswith(f"{image['HOME']}/")
    digits = deployed.COMPOSE["services"]["digits"]
    assert digits["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert digits["volumes"] == [f"state:{image['HOME']}"]
    group = deployed.job()
    assert group["service"][0]["check"][0]["path"].strip('"') in PATHS
    (network,) = group["network"][0]["port"][0].values()
    assert network["to"] == int(port)
    prometheus = (deployed.DEPLOY / "prometheus" / "prometheus.yml").read_text()
    assert f"digits:{port}" in prometheus
    assert "metrics_path: /metrics" in prometheus


def test_image_is_made_of_what_is_there() -> None:
    """What the Dockerfile copies is in the checkout, and the build may see it."""
    seen = {
        line[1:] for line in (deployed.ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", deployed.DOCKERFILE, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (deployed.ROOT / name).exists()
        assert name in seen


def test_image_has_locked_packages() -> None:
    """The image takes all that the server needs in versions that are allowed, with their hashes."""
    project = tomllib.loads((deployed.ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["postgresql"]]
    text = (deployed.DEPLOY / "requirements.txt").read_text()
    locked = dict(re.findall(r"^([\w.-]+)==(\S+) .*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE))
    assert len(locked) == len(re.findall(r"^[\w.-]+==", text, re.MULTILINE))
    for requirement in map(Requirement, needed):
        if requirement.marker is None or requirement.marker.evaluate():
            assert requirement.specifier.contains(locked[requirement.name.lower()]), requirement
    assert "--require-hashes --requirement requirements.txt" in deployed.DOCKERFILE
