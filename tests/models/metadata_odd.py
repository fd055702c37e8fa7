"""A model whose metadata is not a dictionary."""


def get_metadata():
    return ["not", "a", "dictionary"]
