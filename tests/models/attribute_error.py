"""A model whose functions raise AttributeError."""


def predict():
    return None.predict


def train():
    return None.train
