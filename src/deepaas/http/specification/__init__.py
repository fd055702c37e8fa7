"""The API described for machines: Swagger 2.0, which existing clients read, and OpenAPI 3.1.

Both are made by apispec from the same table of operations, and from the same fields that validate requests
and responses. Nothing here may know the requests themselves.
"""

from collections.abc import Iterable
from typing import Any

from deepaas.http.specification.document import Published
from deepaas.http.specification.openapi import OpenApi
from deepaas.http.specification.swagger import Swagger
from deepaas.model.model import Model

__all__ = ["Published", "openapi", "swagger"]


def swagger(models: Iterable[Model], published: Published) -> dict[str, Any]:
    """Return the Swagger 2.0 document of the API."""
    return Swagger(published).document(models, basePath=published.base_path or "/")


def openapi(models: Iterable[Model], published: Published) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the API."""
    return OpenApi(published).document(models, servers=[{"url": published.base_path or "/"}])
