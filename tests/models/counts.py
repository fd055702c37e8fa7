"""A model whose globals live as long as its worker."""

import os

calls = 0


def predict():
    global calls
    calls += 1
    return {"pid": os.getpid(), "calls": calls}
