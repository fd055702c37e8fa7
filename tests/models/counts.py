"""A model that counts its calls in a global variable."""

import os

calls = 0


def predict():
    global calls
    calls += 1
    return {"pid": os.getpid(), "calls": calls}
