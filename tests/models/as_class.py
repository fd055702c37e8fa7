"""A class whose methods are the model's functions, and an instance of it."""

from webargs import fields

from deepaas.model.v2.base import BaseModel


class Model(BaseModel):
    def __init__(self, word="class"):
        self.word = word

    def get_metadata(self):
        return {"name": self.word, "author": "Ada", "license": "MIT"}

    def get_predict_args(self):
        return {"data": fields.Str(required=True)}

    def predict(self, data):
        return f"{self.word} {data}"


an_object = Model("object")
