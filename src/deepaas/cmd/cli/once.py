"""Owns one prediction, made in this process as a worker makes it. Must not know how flags are spelled."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from deepaas.cmd.cli.author import authors_code
from deepaas.cmd.cli.flags import Texts
from deepaas.cmd.cli.given import accepted, given
from deepaas.cmd.cli.telling import Failure, say_result
from deepaas.cmd.cli.writing import named_output, write_body
from deepaas.files import Scratch, ScratchSpace
from deepaas.messages import Body, Call, Failed
from deepaas.model.model import Model
from deepaas.workers.child import Answering


def predict_once(model: Model, texts: Mapping[str, Texts], ctx: click.Context) -> None:
    """Predict, write the result where the flags want it, and print it.

    Raise `InvalidArguments`, or `Failure` for what the model's code raises.
    """
    with ScratchSpace() as space:
        body = _body(model, texts, space.folder(), warm=ctx.obj.warm)
        say_result(_result(body, named_output(ctx), model.name))


def _body(model: Model, texts: Mapping[str, Texts], scratch: Scratch, *, warm: bool) -> Body:
    arguments = model.predict_arguments
    raw = arguments.gather(given(texts, scratch))
    media_type = accepted(arguments, raw)
    call = Call("predict", arguments.validate_safely(raw), True, media_type, scratch.path, "-")  # noqa: FBT003
    with authors_code():
        if warm:
            model.warm()
        outcome = Answering(model, wrap_predictions=False).answer(call).outcome
    if isinstance(outcome, Failed):
        raise Failure(outcome.message, outcome.traceback)
    return outcome


def _result(body: Body, named: Path | None, model: str) -> Any:
    """Return what to print: the value or the text, or, of a file that is neither, where it was written."""
    written = write_body(body, named) if named else None
    content = Path(body.path).read_bytes() if body.path else body.content
    if body.media_type.partition(";")[0].endswith("json"):
        return json.loads(content)
    if body.media_type.startswith("text/"):
        return content.decode(errors="replace")
    return str(written or write_body(body, Path(f"{model}-predict")))
