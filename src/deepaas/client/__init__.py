"""Ask a DEEPaaS server from Python: `Client` waits for its answers, `AsyncClient` is for event loops.

Needs ``pip install 'deepaas[client]'``. It must not know the server's code, only what it answers.
"""

try:
    from deepaas.client.awaiting import AsyncClient, AsyncModel, AsyncTraining
    from deepaas.client.blocking import Client, Model, Training
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}: the client needs pip install 'deepaas[client]'") from error
from deepaas.client.following import Event
from deepaas.errors import (
    ArtifactNotFound,
    BadRequest,
    BodyTooLarge,
    DeepaasError,
    InvalidArguments,
    ModelNotFound,
    ModelUnavailable,
    NotAcceptable,
    NotAllowed,
    NotAuthenticated,
    NotImplementedByModel,
    NotServed,
    PredictionFailed,
    PredictionTimedOut,
    SenderTooSlow,
    ServerUnreachable,
    TrainingFailed,
    TrainingNotFound,
    UnexpectedAnswer,
)

__all__ = [
    "ArtifactNotFound",
    "AsyncClient",
    "AsyncModel",
    "AsyncTraining",
    "BadRequest",
    "BodyTooLarge",
    "Client",
    "DeepaasError",
    "Event",
    "InvalidArguments",
    "Model",
    "ModelNotFound",
    "ModelUnavailable",
    "NotAcceptable",
    "NotAllowed",
    "NotAuthenticated",
    "NotImplementedByModel",
    "NotServed",
    "PredictionFailed",
    "PredictionTimedOut",
    "SenderTooSlow",
    "ServerUnreachable",
    "Training",
    "TrainingFailed",
    "TrainingNotFound",
    "UnexpectedAnswer",
]
