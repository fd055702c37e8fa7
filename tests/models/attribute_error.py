"""A model whose functions have the mistake of asking None for something."""


def predict():
    return None.predict


def train():
    return None.train
