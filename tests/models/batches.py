"""A model with predict_batch that returns the batch size with each prediction."""

import os
import signal
import socket
import time

from webargs import fields

from deepaas.model.v2.base import BaseModel


def get_predict_args():
    return {"number": fields.Int(required=True), "port": fields.Int(), "fault": fields.Str(load_default="")}


def wait_for(port):
    with socket.create_connection(("127.0.0.1", port)) as gate:
        gate.recv(1)


def one(number, together, port=None, fault=""):
    if port:
        wait_for(port)
    if fault == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "hang":
        signal.pause()
    if fault == "stream":
        return iter([number])
    if fault.startswith("sleep"):
        time.sleep(float(fault.split()[1]))
    if fault == "raise":
        raise ValueError(f"number {number} is bad")
    return {"number": number, "together": together}


def predict(**call):
    return one(together=1, **call)


def predict_batch(calls):
    if any(call["fault"] == "short" for call in calls):
        return []
    if any(call["fault"] == "raise" for call in calls):
        raise ValueError("one of them is bad")
    return [
        LookupError(f"no {call['number']}") if call["fault"] == "return" else one(together=len(calls), **call)
        for call in calls
    ]


class Alone(BaseModel):
    """The same model without `predict`."""

    get_predict_args = staticmethod(get_predict_args)
    predict_batch = staticmethod(predict_batch)
