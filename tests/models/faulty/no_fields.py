"""A model whose arguments are not fields."""


def get_predict_args():
    return {"size": 5}
