"""A model from a template whose warm() raises NotImplementedError."""


def warm():
    raise NotImplementedError


def predict():
    return "cold"
