"""The trivial model under LitServe."""

# ruff: noqa: D102 - the framework defines the methods

import sys

import litserve
import trivial
from pydantic import BaseModel


class Arguments(BaseModel):
    """The JSON body of a request."""

    x: float


class Trivial(litserve.LitAPI):
    """One worker."""

    def setup(self, device):
        pass

    def decode_request(self, request: Arguments):
        return request.x

    def predict(self, x):
        return trivial.predict(x)

    def encode_response(self, output):
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Trivial(), accelerator="cpu", devices=1, workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        log_level="error",
        generate_client_file=False,
    )
