"""Python client of a DEEPaaS server: `Client` blocks, `AsyncClient` is for asyncio.

Requires ``pip install 'deepaas[client]'``.
"""

try:
    from deepaas.client._async.client import AsyncClient, AsyncModel
    from deepaas.client._async.training import AsyncTraining
    from deepaas.client._events import Event
    from deepaas.client._sync.client import Client, Model
    from deepaas.client._sync.training import Training
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}: the client requires pip install 'deepaas[client]'") from error
from deepaas.errors import (
    ArtifactNotFound,
    BadRequest,
    DeepaasError,
    EndpointDisabled,
    Forbidden,
    FunctionNotImplemented,
    InvalidArguments,
    ModelNotFound,
    ModelUnavailable,
    NotAcceptable,
    PayloadTooLarge,
    PredictionFailed,
    PredictionTimeout,
    RequestTimeout,
    ServerUnreachable,
    TrainingFailed,
    TrainingNotFound,
    Unauthorized,
    UnexpectedResponse,
)

__all__ = [
    "ArtifactNotFound",
    "AsyncClient",
    "AsyncModel",
    "AsyncTraining",
    "BadRequest",
    "Client",
    "DeepaasError",
    "EndpointDisabled",
    "Event",
    "Forbidden",
    "FunctionNotImplemented",
    "InvalidArguments",
    "Model",
    "ModelNotFound",
    "ModelUnavailable",
    "NotAcceptable",
    "PayloadTooLarge",
    "PredictionFailed",
    "PredictionTimeout",
    "RequestTimeout",
    "ServerUnreachable",
    "Training",
    "TrainingFailed",
    "TrainingNotFound",
    "Unauthorized",
    "UnexpectedResponse",
]
