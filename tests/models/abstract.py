"""A class that inherits every function and overrides none."""

from deepaas.model.v2.base import BaseModel


class Model(BaseModel):
    pass
