"""Owns one prediction, made in this process as a worker makes it. Must not know how flags are spelled."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from deepaas.cmd.cli.author import authors_code
from deepaas.cmd.cli.flags import Texts
from deepaas.cmd.cli.given import accepted, given
from deepaas.cmd.cli.telling import say_result
from deepaas.cmd.cli.writing import named_output, write_body
from deepaas.files import Scratch, ScratchSpace
from deepaas.messages import Body, Envelope
from deepaas.model import output, streaming
from deepaas.model.model import Model


def predict_once(model: Model, texts: Mapping[str, Texts], ctx: click.Context) -> None:
    """Predict, write the result where the flags want it, and print it.

    Raise `InvalidArguments`, or `Failure` for what the model's code raises.
    """
    with ScratchSpace() as space:
        body = _body(model, texts, space.folder(), warm=ctx.obj.warm)
        say_result(_result(body, named_output(ctx), model.name))


def _body(model: Model, texts: Mapping[str, Texts], scratch: Scratch, *, warm: bool) -> Body:
    declared = model.predict_arguments
    raw = declared.gather(given(texts, scratch))
    media_type = accepted(declared, raw)
    arguments = declared.validate_safely(raw)
    with authors_code():
        if warm:
            model.warm()
        result = model.function("predict")(**arguments)
        if streaming.is_stream(result):
            return _whole(
                result, streaming.Rendering(media_type, model.schema, prefers_events=False), scratch
            )
        return output.render(result, media_type, output.Form(model.schema, Envelope.NONE), scratch.path)


def _whole(stream: Any, rendering: streaming.Rendering, scratch: Scratch) -> Body:
    """Return all items of a stream as one body."""
    path = scratch.new_file("")
    with path.open("wb") as file:
        file.writelines(map(rendering.render, streaming.items_of(stream)))
    return Body(rendering.media_type, b"", str(path))


def _result(body: Body, named: Path | None, model: str) -> Any:
    """Return what to print: the value or the text, or, of a file that is neither, where it was written."""
    written = write_body(body, named) if named else None
    content = Path(body.path).read_bytes() if body.path else body.content
    if body.media_type == streaming.LINES:
        return [json.loads(line) for line in content.splitlines()]
    if body.media_type.partition(";")[0].endswith("json"):
        return json.loads(content)
    if body.media_type.startswith("text/"):
        return content.decode(errors="replace")
    return str(written or write_body(body, Path(f"{model}-predict")))
