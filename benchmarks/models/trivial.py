"""A model that costs nothing, in the spelling that DEEPaaS 2.6 understands too."""

from webargs import fields


def get_predict_args():
    """Return one small argument."""
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
