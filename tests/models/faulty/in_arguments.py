"""A model whose get_predict_args() raises."""


def get_predict_args():
    return None.fields


def predict():
    return 1
