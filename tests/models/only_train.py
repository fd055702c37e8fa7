"""A model that has nothing but train."""


def train(**arguments):
    return arguments
