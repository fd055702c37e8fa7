"""A model with numbers that JavaScript cannot represent or writes in another notation."""

from webargs import fields, validate

import deepaas

BIG = 9007199254740993  # 2**53 + 1
SEED = 1234567890123456789
SHARE = 0.1234567890123
FILE = {"type": "file", "location": "form"}
RESPONSES = {
    "arguments": None,
    "labels": {"labels": ["cat", "dog", "owl"], "probabilities": [SHARE, 1.0, 1e-07]},
    "scores": {"labels": [BIG, 1.0], "scores": [SEED, -1.50]},
    "objects": [{"id": BIG, "share": SHARE}, {"id": SEED, "share": 1.0}],
    "matrix": [[BIG, 1.0], [SHARE, 1e16]],
    "pair": [BIG, 1.0],
    "long": [{"ids": [BIG] * 20}],
    "curve": {"signal": [1234567.1, 1234567.123456, 1234567.2]},
    "deep": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": [BIG, 1.0]}}}}}}}}},
    "flags": [True, None, BIG],
}


def get_predict_args():
    return {
        "form": fields.Str(load_default="arguments", validate=validate.OneOf(list(RESPONSES))),
        "seed": fields.Int(load_default=SEED),
        "strict": fields.Int(load_default=BIG, strict=True),
        "rate": fields.Float(load_default=1e16),
        "ids": fields.List(fields.Int(), load_default=[BIG]),
        "options": fields.Dict(load_default={"id": BIG, "scale": 1.0}),
        "anything": fields.Raw(load_default={"id": BIG}),
        "count": fields.Raw(load_default=BIG),
        "chosen": fields.Int(load_default=BIG, validate=validate.OneOf([BIG - 1, BIG, BIG + 2])),
        "range": fields.Int(load_default=BIG, validate=validate.Range(BIG - 2, BIG + 9)),
        "file": fields.Field(metadata=FILE),
    }


def predict(form, file=None, **given):
    return RESPONSES[form] or {**given, "response_id": BIG, "one": 1.0, "huge": 1e16, "minus": -0.0}


def get_train_args():
    return {"seed": fields.Int(load_default=SEED), "options": fields.Dict(load_default={"scale": 1.0})}


def train(seed, options):
    for step in (1, 2, 3):
        deepaas.report(step=float(step), total=3, loss=SHARE / step, one=1.0, seen=BIG + step)
    return {"best": SHARE, "one": 1.0, "seed": seed}
