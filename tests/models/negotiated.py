"""Models that return several media types, one of them without a default."""

from webargs import fields, validate

CHOICES = ["application/json", "image/png", "text/plain"]


class Model:
    default = {"missing": "image/png"}

    def get_predict_args(self):
        return {"accept": fields.Str(validate=validate.OneOf(CHOICES), **self.default)}

    def predict(self, accept):
        return f"it was {accept}".encode() if accept != "application/json" else f"it was {accept}"


class WithoutDefault(Model):
    default = {}


class Anything(Model):
    def get_predict_args(self):
        return {
            "accept": fields.Str(validate=validate.OneOf(["application/json", "*/*"]), load_default="*/*")
        }

    def predict(self, accept):
        return f"it was {accept}"


get_predict_args = Model().get_predict_args
predict = Model().predict
