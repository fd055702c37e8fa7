"""The upload model under mosec, which receives the raw body."""

# ruff: noqa: D102 - the framework defines the methods

import upload
from mosec import Server, Worker


class Upload(Worker):
    """One worker."""

    def deserialize(self, data):
        return data

    def forward(self, data):
        return upload.count(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(Upload, num=1)
    server.run()
