"""The trivial model under Ray Serve."""

# ruff: noqa: D102 - the framework defines the methods

import signal
import sys
from pathlib import Path

import ray
import trivial
from fastapi import FastAPI
from pydantic import BaseModel
from ray import serve
from ray.serve.schema import LoggingConfig

app = FastAPI()
_OBJECT_STORE_BYTES = 100_000_000


class Arguments(BaseModel):
    """The JSON body of a request."""

    x: float


@serve.deployment(num_replicas=1, max_ongoing_requests=100)
@serve.ingress(app)
class Trivial:
    """One replica."""

    @app.post("/predict")
    def predict(self, arguments: Arguments):
        return trivial.predict(arguments.x)


if __name__ == "__main__":
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=str(Path.cwd() / "ray"),
    )
    quiet = LoggingConfig(enable_access_log=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])}, logging_config=quiet)
    serve.run(Trivial.bind(), logging_config=quiet)
    signal.sigwait([signal.SIGTERM])
    serve.shutdown()
    ray.shutdown()
