"""A model whose arguments are no fields."""


def get_predict_args():
    return {"size": 5}
