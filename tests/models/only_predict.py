"""A model with only predict()."""


def predict(**arguments):
    return arguments
