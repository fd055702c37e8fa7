"""A model that streams numbers that JavaScript cannot represent."""


def predict():
    yield {"id": 9007199254740993, "share": 1.0}
    yield {"id": 1234567890123456789, "share": 1e16}
