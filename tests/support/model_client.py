"""An HTTP client of a model in the test's own process, without a server.

It runs the steps of server and worker one after the other, for tests that are only about arguments.
"""

import asyncio
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from multidict import CIMultiDict, MultiDict
from yarl import URL

from deepaas.errors import DeepaasError, PredictionFailed
from deepaas.http.error_responses import error_response
from deepaas.http.request_body import ParsedRequest, read_argument_sources
from deepaas.messages import Body, Call, Envelope, decode, encode_call
from deepaas.model.model import LoadedModel
from deepaas.scratch import UploadFolder
from deepaas.workers.call_executor import CallExecutor


@contextmanager
def model_client() -> Iterator[httpx.Client]:
    """Yield a client: `/v2/models/NAME/predict/` calls the model in `models/NAME.py`."""
    with httpx.Client(base_url="http://model", transport=httpx.MockTransport(_respond)) as client:
        yield client


def _respond(request: httpx.Request) -> httpx.Response:
    name = request.url.path.split("/")[3]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        # Fields in the style of older marshmallow versions warn when they are created.
        model = LoadedModel.load(name, f"models.{name}")
        scratch = UploadFolder(folder)
        try:
            body = _predict(model, request, scratch)
        except DeepaasError as error:
            response = error_response(error)
            assert isinstance(response.body, bytes)
            return httpx.Response(response.status, headers=dict(response.headers), content=response.body)
    return httpx.Response(200, headers={"Content-Type": body.media_type}, content=body.content)


def _predict(model: LoadedModel, request: httpx.Request, scratch: UploadFolder) -> Body:
    headers = CIMultiDict(request.headers.multi_items())
    query = MultiDict(URL(str(request.url)).query)
    content = request.read()
    arguments = model.predict_arguments
    body = [content] if content else []
    reading = read_argument_sources(ParsedRequest(query, headers, body, 1 << 20), arguments, scratch)
    raw = arguments.collect(asyncio.run(reading))
    call = Call("predict", arguments.validate_in_thread(raw), True, None, scratch.path, "-")  # noqa: FBT003
    answering = CallExecutor(model, None, Envelope.STRING)  # type: ignore[arg-type]  # nothing here streams
    outcome = answering.execute(decode(encode_call(call, raw)), 1).outcome
    if isinstance(outcome, Body):
        return outcome
    raise PredictionFailed(outcome.message, status=outcome.status, detail=outcome.traceback)
