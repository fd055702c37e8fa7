"""The table of rows, in the order in which they are measured and shown."""

from benchmarks.rows import batching, busy, cluster, idle, large, small, training, upload
from benchmarks.rows.row import Row

ALL_ROWS: tuple[Row, ...] = (
    *small.ROWS,
    *upload.ROWS,
    *large.ROWS,
    *busy.ROWS,
    *batching.ROWS,
    *cluster.ROWS,
    *idle.ROWS,
    *training.ROWS,
)
