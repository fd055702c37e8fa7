"""A model that raises the exception that an argument names."""

import sys

from aiohttp import web
from webargs import fields


class Carrying(Exception):
    def __init__(self, text, **carried):
        super().__init__(text)
        self.__dict__.update(carried)


def aiohttp_with_an_error():
    try:
        raise KeyError("the cause")
    except KeyError as err:
        raise web.HTTPBadRequest(reason=err)


def aiohttp_with_lines():
    raise web.HTTPBadRequest(reason="two\nlines")


ERRORS = {
    "bad_request": web.HTTPBadRequest(reason="my reason"),
    "teapot": web.HTTPUnprocessableEntity(text="a longer text"),
    "unavailable": web.HTTPServiceUnavailable(reason="try later"),
    "found": web.HTTPFound("/elsewhere"),
    "status": Carrying("with status", status=418),
    "status_code": Carrying("with status_code", status_code=409),
    "code": Carrying("with code", code=503),
    "code_of_another_kind": Carrying("with an exit code", code=1),
    "code_as_text": Carrying("with a text", code="404"),
    "reason": Carrying("not this", status=400, reason="but this"),
    "not_implemented": NotImplementedError("not yet"),
    "value": ValueError("wrong value"),
    "silent": RuntimeError(),
    "lines": ValueError("two\nlines"),
    "key": KeyError("missing key"),
    "interrupt": KeyboardInterrupt(),
    "unicode": ValueError("ünicode \ud800"),
}


def get_predict_args():
    return {"what": fields.Str(required=True)}


def predict(what):
    if what == "exit":
        sys.exit("the model leaves")
    if what in globals():
        globals()[what]()
    raise ERRORS[what]
