"""The trivial model under mosec."""

# ruff: noqa: D102 - the methods are those that the framework calls

import trivial
from mosec import Server, Worker


class Trivial(Worker):
    """One worker; mosec reads the JSON body, and checks nothing in it."""

    def forward(self, data):
        return trivial.predict(float(data["x"]))


if __name__ == "__main__":
    server = Server()
    server.append_worker(Trivial, num=1)
    server.run()
