"""What the server counts and measures of itself, in Prometheus's terms.

It must not know who reads it, nor where the figures come from.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


class Metrics:
    """The figures of one server; every name begins with ``deepaas_``."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self.requests = Counter(
            "deepaas_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self.upload_bytes = Counter("deepaas_upload_bytes", "Bytes of bodies received.", registry=registry)
        self._seconds = Histogram(
            "deepaas_prediction_seconds",
            "Time of a prediction: waiting in the queue and the pipe, in the model, rendering the result.",
            ("model", "part"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._restarts = Counter(
            "deepaas_worker_restarts", "Workers replaced, by cause.", ("model", "cause"), registry=registry
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

    def of_pool(self, model: str) -> "PoolMetrics":
        """Return what the pool of a model measures."""
        return PoolMetrics(self._seconds, self._restarts, model)

    def text(self) -> bytes:
        """Return all figures in Prometheus's text format."""
        return generate_latest(self._registry)


class PoolMetrics:
    """What the pool of one model measures."""

    def __init__(self, seconds: Histogram, restarts: Counter, model: str) -> None:
        self._queue_s, self._model_s, self._render_s = (
            seconds.labels(model, part) for part in ("queue", "model", "render")
        )
        self._restarts = restarts
        self._model = model

    def note_answer(self, queue_s: float, model_s: float, render_s: float) -> None:
        """Count the parts of a prediction's time."""
        self._queue_s.observe(queue_s)
        self._model_s.observe(model_s)
        self._render_s.observe(render_s)

    def note_restart(self, cause: str) -> None:
        """Count a worker that had to be replaced."""
        self._restarts.labels(self._model, cause).inc()
