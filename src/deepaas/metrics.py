"""What the server counts and measures of itself, in Prometheus's terms.

It must not know who reads it, nor where the figures come from.
"""

import bisect
import collections
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

_BOUNDS_S = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_PARTS = ("queue", "model", "render")


class Metrics:
    """The figures of one server; every name begins with ``deepaas_``."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._every_request = _EveryRequest()
        registry.register(self._every_request)
        self.upload_bytes = Counter("deepaas_upload_bytes", "Bytes of bodies received.", registry=registry)
        self.restarts = Counter(
            "deepaas_worker_restarts", "Workers replaced, by cause.", ("model", "cause"), registry=registry
        )
        self.scalings = Counter(
            "deepaas_worker_scalings",
            "Workers started because calls waited, or ended because they had nothing to do.",
            ("model", "direction"),
            registry=registry,
        )
        self.queue_length = Gauge("deepaas_queue_length", "Calls waiting.", ("model",), registry=registry)
        self.queue_age = Gauge(
            "deepaas_queue_age_seconds",
            "Time that the oldest call has waited.",
            ("model",),
            registry=registry,
        )
        self.workers = Gauge("deepaas_workers", "Workers, by state.", ("model", "state"), registry=registry)
        self.trainings = Gauge(
            "deepaas_trainings", "Trainings, by state.", ("model", "state"), registry=registry
        )

    def note_request(self, method: str, route: str, status: int) -> None:
        """Count a request that was answered."""
        self._every_request.counts[method, route, status] += 1

    def of_pool(self, model: str) -> "PoolMetrics":
        """Return what the pool of a model measures."""
        parts = self._every_request.parts
        queue, in_model, render = (parts.setdefault((model, part), _Distribution()) for part in _PARTS)
        first_chunk = self._every_request.first_chunks.setdefault(model, _Distribution())
        return PoolMetrics(
            queue, in_model, render, first_chunk, restarts=self.restarts, scalings=self.scalings, model=model
        )

    def text(self) -> bytes:
        """Return all figures in Prometheus's text format."""
        return generate_latest(self._registry)


class PoolMetrics:
    """What the pool of one model measures."""

    def __init__(
        self,
        queue: "_Distribution",
        in_model: "_Distribution",
        render: "_Distribution",
        first_chunk: "_Distribution",
        *,
        restarts: Counter,
        scalings: Counter,
        model: str,
    ) -> None:
        self._queue = queue
        self._in_model = in_model
        self._render = render
        self._first_chunk = first_chunk
        self._restarts = restarts
        self._scalings = scalings
        self._model = model

    def note_answer(self, queue_s: float, model_s: float, render_s: float) -> None:
        """Count the parts of a prediction's time."""
        self._queue.note(queue_s)
        self._in_model.note(model_s)
        self._render.note(render_s)

    def note_first_chunk(self, waited_s: float) -> None:
        """Count a streamed prediction that has begun to come, so long after the call."""
        self._first_chunk.note(waited_s)

    def note_restart(self, cause: str) -> None:
        """Count a worker that had to be replaced."""
        self._restarts.labels(self._model, cause).inc()

    def note_scaling(self, direction: str) -> None:
        """Count a worker more, or less, than there were; `direction` is up or down."""
        self._scalings.labels(self._model, direction).inc()


class _Distribution:
    """How often a time fell between two bounds.

    The client library's own histogram takes 3 µs for this, for locks that a single thread does not need.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(_BOUNDS_S) + 1)
        self.sum_s = 0.0

    def note(self, seconds: float) -> None:
        self.counts[bisect.bisect_left(_BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return cumulative counts by upper bound, as Prometheus wants them."""
        total = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, _BOUNDS_S), "+Inf"), self.counts, strict=True):
            total += count
            found.append((bound, total))
        return found


class _EveryRequest(Collector):
    """The figures that every request touches, kept in plain numbers until somebody asks."""

    def __init__(self) -> None:
        self.counts: collections.Counter[tuple[str, str, int]] = collections.Counter()
        self.parts: dict[tuple[str, str], _Distribution] = {}
        self.first_chunks: dict[str, _Distribution] = {}

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        """Yield the figures as the client library knows them."""
        requests = CounterMetricFamily(
            "deepaas_requests", "Requests answered.", labels=("method", "route", "status")
        )
        for (method, route, status), count in self.counts.items():
            requests.add_metric((method, route, str(status)), count)
        yield requests
        seconds = HistogramMetricFamily(
            "deepaas_prediction_seconds",
            "Time of a prediction: waiting in the queue and the pipe, in the model, rendering the result.",
            labels=("model", "part"),
        )
        for labels, distribution in self.parts.items():
            seconds.add_metric(labels, buckets=distribution.buckets(), sum_value=distribution.sum_s)
        yield seconds
        first = HistogramMetricFamily(
            "deepaas_first_chunk_seconds",
            "Time from a call to the first chunk of its streamed prediction.",
            labels=("model",),
        )
        for model, distribution in self.first_chunks.items():
            first.add_metric((model,), buckets=distribution.buckets(), sum_value=distribution.sum_s)
        yield first
