"""Reads the files in deploy/."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
UNIT = (DEPLOY / "systemd" / "deepaas.service").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
BOARD = json.loads((DEPLOY / "grafana" / "deepaas.json").read_text())
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())


def files() -> list[Path]:
    """Return every file in deploy/ except those of deploy/ray/, which have their own tests."""
    return [path for path in sorted(DEPLOY.rglob("*")) if path.is_file() and "ray" not in path.parts]


def manifests() -> dict[str, dict[str, Any]]:
    """Return the Kubernetes manifests by path."""
    paths = sorted((DEPLOY / "kubernetes").rglob("*.yaml"))
    return {str(path.relative_to(DEPLOY)): yaml.safe_load(path.read_text()) for path in paths}


def pods() -> dict[str, dict[str, Any]]:
    """Return the pod specification of each manifest that has one, by path."""
    return {path: one["spec"]["template"]["spec"] for path, one in manifests().items() if _makes_pods(one)}


def instruction(name: str) -> list[str]:
    """Return the JSON list that follows an instruction of the Dockerfile."""
    found = re.search(rf"^{name} (?:.*\\\n)?[^\[\n]*(\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert found
    return list(map(str, json.loads(found[1])))


def image_environment() -> dict[str, str]:
    """Return the environment variables that the image sets."""
    lines = DOCKERFILE.rpartition("ENV ")[2].partition("\nUSER")[0].replace("\\\n", " ")
    return dict(word.split("=", 1) for word in shlex.split(lines))


def unit(key: str) -> list[str]:
    """Return all values of a key in the systemd unit."""
    return re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)


def job() -> dict[str, Any]:
    """Return the only group of the Nomad job."""
    job = hcl2.loads((DEPLOY / "nomad" / "deepaas.nomad.hcl").read_text())
    (group,) = job["job"][0].values()
    (only,) = group["group"][0].values()
    return dict(only)


def queries() -> Iterator[tuple[str, str]]:
    """Yield name and PromQL query of each dashboard panel, alert and autoscaler rule."""
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")
    for rule in ALERTS["groups"][0]["rules"]:
        yield rule["alert"], rule["expr"]
    for rule in manifests()["kubernetes/scaled/prometheus-adapter.yaml"]["rules"]["custom"]:
        filled = rule["metricsQuery"].replace("<<.GroupBy>>", "pod")
        yield rule["name"]["as"], filled.replace("<<.LabelMatchers>>", 'pod="one"')


def seconds(text: str) -> float:
    """Parse a duration in seconds, such as 60s."""
    return float(text.strip('"').removesuffix("s"))


def _makes_pods(manifest: dict[str, Any]) -> bool:
    return "template" in manifest.get("spec", {})
