"""A model that costs nothing, in the spelling that DEEPaaS 2.6 understands too."""


def get_predict_args():
    """Return one small argument."""
    from webargs import fields  # noqa: PLC0415 - the peers call `predict` where there is no webargs

    return {"x": fields.Float(required=True)}


def predict(x):
    """Return a small result."""
    return {"y": 2 * x}


def get_train_args():
    """Return no arguments."""
    return {}


def train():
    """Do nothing."""
    return {}
