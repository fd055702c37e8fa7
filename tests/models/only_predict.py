"""A model that has nothing but predict."""


def predict(**arguments):
    return arguments
