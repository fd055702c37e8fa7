"""Dashboard, alerts and autoscaler use metrics of a running server."""

import re

import httpx
import promql_parser
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support import deploy_files
from support.server import predict

NOT_OURS = {"up"}


def asked(query: str) -> list[tuple[str, set[str]]]:
    """Return each metric in a query, with the labels that the query uses."""
    found = re.findall(
        r"([a-z_]+)\{([^}]*)\}|\b(deepaas_[a-z_]+|up)\b(?!\{)", promql_parser.parse(query).prettify()
    )
    return [(name or bare, set(re.findall(r"(\w+)(?:=|!=|=~|!~)", labels))) for name, labels, bare in found]


@pytest.fixture(scope="module")
def figures(client: httpx.Client) -> dict[str, set[str]]:
    """Return the metrics of a running server and their labels, after some requests."""
    assert predict(client, "streams").status_code < 600
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
        if family.name in ("deepaas_worker_restarts", "deepaas_describer_restarts"):
            found[f"{family.name}_total"] = {"model", "cause"}  # no sample until a process has died
    return found


@pytest.mark.parametrize(("name", "query"), list(deploy_files.queries()))
def test_query(figures: dict[str, set[str]], name: str, query: str) -> None:
    """A query can be parsed, and its metrics and labels exist."""
    scraped = {"job", "instance", "namespace", "pod"}
    metrics = asked(query)
    assert metrics
    for metric, labels in metrics:
        if metric not in NOT_OURS:
            assert labels <= figures[metric] | scraped


def test_every_metric_is_on_the_dashboard(figures: dict[str, set[str]]) -> None:
    shown = {metric for _, query in deploy_files.queries() for metric, _ in asked(query)}
    counted = {name for name in figures if not name.endswith(("_created", "_sum", "_count"))}
    assert counted <= shown


def test_dashboard_uses_the_selected_data_source() -> None:
    assert deploy_files.BOARD["templating"]["list"][0]["type"] == "datasource"
    for panel in deploy_files.BOARD["panels"]:
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
