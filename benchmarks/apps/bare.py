"""A minimal aiohttp handler that validates the arguments and calls the model in its own process."""

import sys

import orjson
import trivial
import uvloop
from aiohttp import web
from marshmallow import EXCLUDE, Schema

_schema = Schema.from_dict(trivial.get_predict_args())()


async def predict(request: web.Request) -> web.Response:
    """Return a prediction in this server's response format."""
    given = orjson.loads(await request.read()) if request.body_exists else dict(request.query)
    arguments = _schema.load(given, unknown=EXCLUDE)
    predictions = orjson.dumps(trivial.predict(**arguments)).decode()
    body = orjson.dumps({"status": "OK", "predictions": predictions})
    return web.Response(body=body, content_type="application/json")


if __name__ == "__main__":
    app = web.Application()
    app.router.add_post("/predict", predict)
    loop = uvloop.new_event_loop()
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, loop=loop)
