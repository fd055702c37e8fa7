"""The table of metrics, generated from `deepaas.metrics`."""

from collections.abc import Iterable, Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from deepaas.metrics import Metrics
from rows import codes, table

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


def markdown() -> str:
    """Return a row for each metric: sample names, type, labels and help."""
    return table(("metric", "type", "labels", "description"), _rows())


def families() -> dict[str, tuple[str, str, set[str]]]:
    """Return type, help and labels of each metric by name."""
    found = text_string_to_metric_families(_filled().to_prometheus_text().decode())
    return {
        family.name: (family.type, family.documentation, _labels(family.samples))
        for family in found
        if not family.name.endswith("_created")
    }


def _filled() -> Metrics:
    """Return metrics in which every metric has a sample."""
    metrics = Metrics()
    metrics.record_request("GET", "/", 200)
    pool = metrics.create_pool_metrics("model")
    pool.record_prediction(0.1, 0.1, 0.1)
    pool.record_first_chunk(0.1)
    pool.record_restart("died")
    pool.record_scale_events("up", 1)
    for by_model in (metrics.queue_length, metrics.queue_oldest):
        by_model.labels("model").set(0)
    for by_state in (metrics.workers, metrics.trainings):
        by_state.labels("model", "state").set(0)
    return metrics


def _rows() -> Iterator[tuple[str, ...]]:
    for name, (kind, said, labels) in families().items():
        names = [f"{name}{suffix}" for suffix in _SUFFIXES.get(kind, ("",))]
        yield (codes(names), kind, codes(sorted(labels)), said) if labels else (codes(names), kind, "", said)


def _labels(samples: Iterable[Sample]) -> set[str]:
    return {label for sample in samples for label in sample.labels if label != "le"}
