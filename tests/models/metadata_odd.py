"""A model that says something that is no dictionary."""


def get_metadata():
    return ["not", "a", "dictionary"]
