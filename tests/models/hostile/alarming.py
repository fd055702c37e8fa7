"""A prediction leaves an alarm behind, whose handler raises."""

import signal

from webargs import fields


def ring(*_):
    raise TimeoutError("too late")


signal.signal(signal.SIGALRM, ring)


def get_predict_args():
    return {"number": fields.Int(required=True), "size": fields.Int(load_default=0)}


def predict(number, size=0):
    signal.setitimer(signal.ITIMER_REAL, 0.05 if size == 0 else 0.5)
    return {"number": number, "text": "x" * size}
