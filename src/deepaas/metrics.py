"""Prometheus metrics of the server."""

import bisect
import collections
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

_BUCKETS_S = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_STAGES = ("queue", "model", "render")


class Metrics:
    """The metrics of one server; every name starts with ``deepaas_``."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._request_collector = _RequestCollector()
        registry.register(self._request_collector)
        self.request_body_bytes = Counter(
            "deepaas_request_body_bytes", "Bytes of bodies received.", registry=registry
        )
        self.restarts = Counter(
            "deepaas_worker_restarts", "Workers replaced, by cause.", ("model", "cause"), registry=registry
        )
        self.describer_restarts = Counter(
            "deepaas_describer_restarts",
            "Describers replaced, by cause.",
            ("model", "cause"),
            registry=registry,
        )
        self.scale_events = Counter(
            "deepaas_worker_scale_events",
            "Workers started because calls were queued, or stopped because they were idle.",
            ("model", "direction"),
            registry=registry,
        )
        self.queue_length = Gauge("deepaas_queue_length", "Calls queued.", ("model",), registry=registry)
        self.queue_oldest = Gauge(
            "deepaas_queue_oldest_seconds", "Age of the oldest queued call.", ("model",), registry=registry
        )
        self.executor_queue_length = Gauge(
            "deepaas_executor_queue_length",
            "Calls that wait for a thread of the server, by thread pool.",
            ("executor",),
            registry=registry,
        )
        self.workers = Gauge("deepaas_workers", "Workers, by state.", ("model", "state"), registry=registry)
        self.trainings = Gauge(
            "deepaas_trainings", "Trainings, by state.", ("model", "state"), registry=registry
        )

    def record_request(self, method: str, route: str, status: int) -> None:
        """Count a request by its response status."""
        self._request_collector.counts[method, route, status] += 1

    def create_pool_metrics(self, model: str) -> "PoolMetrics":
        """Return the metrics of a model's pool."""
        return PoolMetrics(self, self._request_collector, model, self.restarts)

    def create_describer_metrics(self, model: str) -> "PoolMetrics":
        """Return the metrics of a model's describer, which counts only its restarts."""
        return PoolMetrics(self, _RequestCollector(), model, self.describer_restarts)

    def to_prometheus_text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self._registry)


class PoolMetrics:
    """The metrics of one model's pool."""

    def __init__(
        self, metrics: Metrics, collector: "_RequestCollector", model: str, restarts: Counter
    ) -> None:
        self._restarts = restarts
        self._metrics = metrics
        self._model = model
        self._queue_time, self._model_time, self._render_time = (
            collector.stages.setdefault((model, stage), _Histogram()) for stage in _STAGES
        )
        self._first_chunk_time = collector.first_chunks.setdefault(model, _Histogram())

    def record_prediction(self, queue_s: float, model_s: float, render_s: float) -> None:
        """Record the seconds that a prediction spent in each stage."""
        self._queue_time.observe(queue_s)
        self._model_time.observe(model_s)
        self._render_time.observe(render_s)

    def record_first_chunk(self, waited_s: float) -> None:
        """Record the seconds from a call to the first chunk of its stream."""
        self._first_chunk_time.observe(waited_s)

    def record_restart(self, cause: str) -> None:
        """Count a worker that exited unexpectedly or was killed, by cause."""
        self._restarts.labels(self._model, cause).inc()

    def record_scale_events(self, direction: str, count: int) -> None:
        """Count workers that are added or removed; `direction` is ``up`` or ``down``."""
        self._metrics.scale_events.labels(self._model, direction).inc(count)


class _Histogram:
    """A histogram without locks, for one thread only; prometheus_client's takes 3 µs per value."""

    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKETS_S) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect.bisect_left(_BUCKETS_S, seconds)] += 1
        self.sum_s += seconds

    def get_buckets(self) -> list[tuple[str, float]]:
        """Return cumulative counts by upper bound, Prometheus's form."""
        total = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, _BUCKETS_S), "+Inf"), self.counts, strict=True):
            total += count
            found.append((bound, total))
        return found


class _RequestCollector(Collector):
    """The metrics that every request updates, kept as plain numbers and converted when scraped."""

    def __init__(self) -> None:
        self.counts: collections.Counter[tuple[str, str, int]] = collections.Counter()
        self.stages: dict[tuple[str, str], _Histogram] = {}
        self.first_chunks: dict[str, _Histogram] = {}

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        """Yield the metrics as families of prometheus_client."""
        requests = CounterMetricFamily(
            "deepaas_http_requests", "Requests answered.", labels=("method", "route", "status")
        )
        for (method, route, status), count in self.counts.items():
            requests.add_metric((method, route, str(status)), count)
        yield requests
        seconds = HistogramMetricFamily(
            "deepaas_prediction_duration_seconds",
            "Time of a prediction by stage: in the queue and the pipe, in the model, rendering the result.",
            labels=("model", "stage"),
        )
        for labels, distribution in self.stages.items():
            seconds.add_metric(labels, buckets=distribution.get_buckets(), sum_value=distribution.sum_s)
        yield seconds
        first = HistogramMetricFamily(
            "deepaas_time_to_first_chunk_seconds",
            "Time from a call to the first chunk of its streamed prediction.",
            labels=("model",),
        )
        for model, distribution in self.first_chunks.items():
            first.add_metric((model,), buckets=distribution.get_buckets(), sum_value=distribution.sum_s)
        yield first
