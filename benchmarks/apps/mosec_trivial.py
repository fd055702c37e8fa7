"""The trivial model under mosec."""

# ruff: noqa: D102 - the framework defines the methods

import trivial
from mosec import Server, Worker


class Trivial(Worker):
    """One worker; mosec parses the JSON body without validating it."""

    def forward(self, data):
        return trivial.predict(float(data["x"]))


if __name__ == "__main__":
    server = Server()
    server.append_worker(Trivial, num=1)
    server.run()
