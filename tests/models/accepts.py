"""Models that declare `accept` as public modules do: all styles and locations, and a wildcard choice."""

import io

from webargs import fields, validate

JSON = "application/json"
CHOICES = validate.OneOf([JSON, "application/pdf"])
PNG = b"\x89PNG\r\n\x1a\n"


class InHeaders:
    declared = fields.Str(
        required=False, load_default=JSON, validate=CHOICES, metadata={"location": "headers"}
    )

    def get_predict_args(self):
        return {"accept": self.declared}

    def predict(self, accept):
        return {"accept": accept} if accept == JSON else f"it was {accept}".encode()


class InHeadersAsBefore(InHeaders):
    declared = fields.Str(
        missing=JSON, location="headers", description="type of the answer", validate=[CHOICES]
    )


class InHeadersRequired(InHeaders):
    declared = fields.Str(required=True, location="headers", validate=CHOICES)


class InHeadersRenamed(InHeaders):
    declared = fields.Str(data_key="Accept", missing=JSON, location="headers", validate=CHOICES)


class InForm(InHeaders):
    declared = fields.Str(missing=JSON, location="form", validate=CHOICES)


class InQuery(InHeaders):
    declared = fields.Str(missing=JSON, location="query", validate=CHOICES)


class Anywhere(InHeaders):
    declared = fields.Str(description="type of the answer", missing=JSON, validate=CHOICES)


class WithoutChoices(InHeaders):
    declared = fields.Str(location="headers")

    def predict(self, accept=None):
        return {"accept": accept}


class Wildcard:
    def get_predict_args(self):
        return {
            "accept": fields.Str(missing=JSON, validate=validate.OneOf([JSON, "image/*"])),
            "kind": fields.Str(missing="unknown", validate=validate.OneOf(["unknown", "known", "named"])),
        }

    def predict(self, accept, kind):
        if accept != "image/*":
            return {"accept": accept}
        if kind == "named":
            with open("picture.gif", "wb") as file:
                file.write(b"no matter what")
            return open("picture.gif", "rb")
        return io.BytesIO(PNG if kind == "known" else b"unknown")


get_predict_args = InHeaders().get_predict_args
predict = InHeaders().predict
