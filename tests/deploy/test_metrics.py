"""Dashboard, alerts and autoscaler ask for figures that a running server has."""

import re

import deployed
import httpx
import promql_parser
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving import predict

NOT_OURS = {"up"}


def asked(query: str) -> list[tuple[str, set[str]]]:
    """Return each metric in a query, with the labels that are asked of it."""
    found = re.findall(
        r"([a-z_]+)\{([^}]*)\}|\b(deepaas_[a-z_]+|up)\b(?!\{)", promql_parser.parse(query).prettify()
    )
    return [(name or bare, set(re.findall(r"(\w+)(?:=|!=|=~|!~)", labels))) for name, labels, bare in found]


@pytest.fixture(scope="module")
def figures(client: httpx.Client) -> dict[str, set[str]]:
    """Return the names of a running server's figures and the labels of each, after some requests."""
    assert predict(client, "streams").status_code < 600
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
        if family.name == "deepaas_worker_restarts":  # it has no sample until a worker has died
            found["deepaas_worker_restarts_total"] = {"model", "cause"}
    return found


@pytest.mark.parametrize(("name", "query"), list(deployed.queries()))
def test_query(figures: dict[str, set[str]], name: str, query: str) -> None:
    """A query can be parsed, and names figures and labels that there are."""
    scraped = {"job", "instance", "namespace", "pod"}
    metrics = asked(query)
    assert metrics
    for metric, labels in metrics:
        if metric not in NOT_OURS:
            assert labels <= figures[metric] | scraped


def test_every_figure_is_on_the_dashboard(figures: dict[str, set[str]]) -> None:
    """The dashboard leaves no figure of the server out."""
    shown = {metric for _, query in deployed.queries() for metric, _ in asked(query)}
    counted = {name for name in figures if not name.endswith(("_created", "_sum", "_count"))}
    assert counted <= shown


def test_dashboard_chooses_its_source() -> None:
    """Every query of the dashboard goes to the data source that is chosen at its top."""
    assert deployed.BOARD["templating"]["list"][0]["type"] == "datasource"
    for panel in deployed.BOARD["panels"]:
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
