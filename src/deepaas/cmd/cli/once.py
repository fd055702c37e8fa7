"""Owns one prediction, made in this process as a worker makes it. Must not know how flags are spelled."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from deepaas.cmd.cli.author import authors_code
from deepaas.cmd.cli.flags import Texts
from deepaas.cmd.cli.given import accepted, given
from deepaas.cmd.cli.telling import log_call, print_output, print_result, print_saved
from deepaas.cmd.cli.writing import named_output, write_body, write_named
from deepaas.files import Scratch, ScratchSpace
from deepaas.messages import Body, Envelope
from deepaas.model import output, streaming
from deepaas.model.model import Model
from deepaas.model.v2.wrapper import ReturnedFile, UploadedFile


def predict_once(model: Model, texts: Mapping[str, Texts], ctx: click.Context) -> None:
    """Predict, write the result where the flags want it, and print it.

    Raise `InvalidArguments`, or `Failure` for what the model's code raises.
    """
    with ScratchSpace() as space:
        prediction = _prediction(model, texts, space.folder(), warm=ctx.obj.warm)
        named = named_output(ctx)
        if named:
            write_named(prediction.body, named)
        else:
            _print(prediction, Path(f"{model.name}-predict"))


class _Prediction(NamedTuple):
    """What `predict` returned, and the body that a client would get for it."""

    returned: Any
    body: Body


def _prediction(model: Model, texts: Mapping[str, Texts], scratch: Scratch, *, warm: bool) -> _Prediction:
    declared = model.predict_arguments
    raw = declared.gather(given(texts, scratch))
    media_type = accepted(declared, raw)
    arguments = declared.validate_safely(raw)
    log_call("predict")
    with authors_code():
        if warm:
            model.warm()
        returned = model.function("predict")(**arguments)
        if streaming.is_stream(returned):
            rendering = streaming.Rendering(media_type, model.schema, prefers_events=False)
            return _Prediction(returned, _whole(returned, rendering, scratch))
        form = output.Form(model.schema, Envelope.NONE)
        body = output.render(returned, media_type, form, scratch.path, arguments=arguments)
        return _Prediction(returned, body)


def _whole(stream: Any, rendering: streaming.Rendering, scratch: Scratch) -> Body:
    """Return all items of a stream as one body."""
    path = scratch.new_file("")
    with path.open("wb") as file:
        file.writelines(map(rendering.render, streaming.items_of(stream)))
    return Body(rendering.media_type, b"", str(path))


def _print(prediction: _Prediction, unnamed: Path) -> None:
    """Print the prediction; one that is neither a value nor a text is written to a file called `unnamed`."""
    returned, body = prediction
    content = Path(body.path).read_bytes() if body.path else body.content
    if body.media_type == streaming.LINES:
        print_result([json.loads(line) for line in content.splitlines()])
    elif body.media_type.partition(";")[0].endswith("json"):
        # The value itself, as in 2.6: JSON has no tuples, for instance.
        print_result(json.loads(content) if _is_read(returned) else returned)
    elif body.media_type.startswith("text/"):
        print_result(content.decode(errors="replace"))
    else:
        written = write_body(body, unnamed)
        print_output(written)
        print_saved(written)


def _is_read(returned: Any) -> bool:
    """Return whether `predict` returned a file or a stream, whose content the prediction is."""
    is_file = isinstance(returned, ReturnedFile | UploadedFile) or output.is_open_file(returned)
    return is_file or streaming.is_stream(returned)
