"""All servers and workloads."""

from benchmarks.load.request import EMPTY, SMALL, multipart, raw
from benchmarks.servers.server import ServerUnderTest, Workload

_HELLO_BYTES = 100

TRIVIAL = Workload("trivial", SMALL)
UPLOAD = Workload("upload", multipart(_HELLO_BYTES), raw(_HELLO_BYTES))
LARGE = Workload("large", EMPTY)
BUSY = Workload("busy", SMALL)
BATCHED = Workload("batched", SMALL)

_DEEPAAS = ("-m", "deepaas.cmd.run", "--listen-port", "{port}", "--model-name", "{model}")
_DEEPAAS_PATH = "/v2/models/{model}/predict/"

OURS = ServerUnderTest(
    "this server",
    (*_DEEPAAS, "--state-dir", "{state}"),
    _DEEPAAS_PATH,
    # Computations of the model must not use the server's core.
    environment={"OPENBLAS_NUM_THREADS": "1"},
    how="one worker process beside the server; the model's marshmallow field validates; no access log is "
    "written by default; all options as they are",
)
DEEPAAS_26 = ServerUnderTest(
    "DEEPaaS 2.6",
    (*_DEEPAAS, "--nowarm"),
    _DEEPAAS_PATH,
    packages=("deepaas==2.6.0",),
    how="one worker process beside the server, its default; the same model, unchanged; its access log, which "
    "cannot be switched off, goes to a file",
)
BARE = ServerUnderTest(
    "bare aiohttp handler",
    ("{apps}/bare.py", "{port}"),
    how="aiohttp on uvloop in one process: the same marshmallow field validates, the model is called in the "
    "handler, nothing else is done; no access log",
)
MOSEC = ServerUnderTest(
    "mosec",
    ("{apps}/mosec_{model}.py", "--address", "127.0.0.1", "--port", "{port}", "--log-level", "error"),
    "/inference",
    packages=("mosec==0.9.8",),
    how="one worker process behind its Rust server; JSON bodies are read, uploads come as raw bodies; mosec "
    "validates no JSON, so the model's call converts the number; log level error",
    takes_raw_uploads=True,
)
LITSERVE = ServerUnderTest(
    "LitServe",
    ("{apps}/litserve_{model}.py", "{port}"),
    packages=("litserve==0.2.*",),
    how="one worker process, one API process, accelerator cpu; a pydantic model validates; log level error, "
    "which is without access logs",
)
BENTOML = ServerUnderTest(
    "BentoML",
    ("-m", "bentoml", "serve", "bentoml_{model}:Trivial", "--host", "127.0.0.1", "--port", "{port}"),
    packages=("bentoml==1.4.*",),
    how="one worker, in which a lone service runs; its type hints validate; access log off; "
    "BENTOML_DO_NOT_TRACK=True",
    environment={"BENTOML_DO_NOT_TRACK": "True"},
)
RAY = ServerUnderTest(
    "Ray Serve",
    ("{apps}/ray_{model}.py", "{port}"),
    packages=("ray[serve]",),
    how="one replica behind one proxy; FastAPI and a pydantic model validate; max_ongoing_requests 100; "
    "access log and dashboard off; RAY_USAGE_STATS_ENABLED=0; bound to 127.0.0.1",
    environment={"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"},
)
OURS_ON_RAY = ServerUnderTest(
    "this server, --engine ray",
    ("{apps}/deepaas_on_ray.py", "{port}", "{model}", "{state}"),
    _DEEPAAS_PATH,
    how="as this server, its worker held by an actor of a Ray cluster of one node on this machine; "
    "RAY_USAGE_STATS_ENABLED=0",
    environment={"OPENBLAS_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"},
)
SOCKET = ServerUnderTest(
    "plain socket copy",
    ("{apps}/socket_copy.py", "{port}"),
    how="no server at all: what comes through the socket is written to a file in chunks of 1 MiB, and "
    "dd writes a file into it in blocks of 1 MiB",
)

ALL = (OURS, DEEPAAS_26, BARE, MOSEC, LITSERVE, BENTOML, RAY, OURS_ON_RAY, SOCKET)
