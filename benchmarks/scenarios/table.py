"""All scenarios, in the order in which they are measured and shown."""

from benchmarks.scenarios import batching, busy, cluster, idle, large, small, training, upload
from benchmarks.scenarios.scenario import Scenario

ALL_SCENARIOS: tuple[Scenario, ...] = (
    *small.SCENARIOS,
    *upload.SCENARIOS,
    *large.SCENARIOS,
    *busy.SCENARIOS,
    *batching.SCENARIOS,
    *cluster.SCENARIOS,
    *idle.SCENARIOS,
    *training.SCENARIOS,
)
