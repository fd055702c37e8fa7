"""What a pool allows itself. It must not know how that is seen to."""

from typing import NamedTuple

from deepaas.scale import Scale


class Limits(NamedTuple):
    """What a pool allows itself.

    There are as many workers as `scale` says; one beyond the least may be idle for `scale_down_after_s`.
    `most_together` calls may be run together, and wait `patience_s` for each other. `start_timeout_s` is the
    longest that a worker may take to be warm, `predict_timeout_s` that a call may run, both 0 for any time;
    `max_queue` is the most calls that wait. With `cancel_on_disconnect`, a worker whose caller has left is
    killed.
    """

    scale: Scale
    scale_down_after_s: float
    most_together: int
    patience_s: float
    start_timeout_s: float
    predict_timeout_s: float
    max_queue: int
    cancel_on_disconnect: bool
