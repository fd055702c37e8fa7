"""A model that does almost nothing, compatible with DEEPaaS 2.6."""


def get_predict_args():
    from webargs import fields  # noqa: PLC0415 - the peers call `predict` where there is no webargs

    return {"x": fields.Float(required=True)}


def predict(x):
    return {"y": 2 * x}


def get_train_args():
    return {}


def train():
    return {}
