"""A model whose metadata, arguments and responses contain scripts."""

from webargs import fields, validate

import deepaas

RUN = "document.documentElement.dataset.broken = 1"
EVIL = f"<script>{RUN}</script><img src='http://127.0.0.1:9/x.png' onerror='{RUN}'>"
SVG = f"<svg xmlns='http://www.w3.org/2000/svg' onload='{RUN}'><script>{RUN}</script></svg>"
RESPONSES = {
    "text": EVIL,
    "labels": {"labels": [EVIL, EVIL], "probabilities": [0.5, 0.5]},
    "objects": [{EVIL: EVIL}],
    "keys": {EVIL: {EVIL: EVIL}, "__proto__": {"polluted": EVIL}},
    "url": f"data:text/html;base64,{'PHNjcmlwdD4xPC9zY3JpcHQ+' * 2}",
    "error": None,
}
FILES = {
    "text/html": EVIL,
    "image/svg+xml": SVG,
    "text/csv": f"{EVIL},b\n1,{EVIL}\n",
    "application/xhtml+xml": EVIL,
}


def get_metadata():
    return {
        "name": EVIL,
        "author": EVIL,
        "license": f"javascript:{RUN}",
        "home": f"javascript:{RUN}//http://x",
        "description": f"# Title {EVIL}\n\n[link](javascript:{RUN}) ![picture](http://127.0.0.1:9/y.png)\n\n{SVG}",
        "links": [{"rel": EVIL, "href": f"javascript:{RUN}"}],
        EVIL: {EVIL: EVIL},
    }


def get_predict_args():
    return {
        "form": fields.Str(load_default="text", validate=validate.OneOf(list(RESPONSES))),
        EVIL: fields.Str(load_default=EVIL, metadata={"description": EVIL}),
        "choice": fields.Str(load_default=EVIL, validate=validate.OneOf([EVIL])),
        "accept": fields.Str(
            load_default="application/json", validate=validate.OneOf(["application/json", *FILES])
        ),
    }


def predict(form, accept, **_):
    if form == "error":
        raise ValueError(EVIL)
    return RESPONSES[form] if accept == "application/json" else FILES[accept].encode()


def get_train_args():
    return {"note": fields.Str(load_default=EVIL)}


def train(note):
    print(note, flush=True)
    deepaas.report(step=1, total=1, **{EVIL: 1.0})
    (deepaas.artifacts() / "<b>artifact").write_text(note)
    return {EVIL: note}
