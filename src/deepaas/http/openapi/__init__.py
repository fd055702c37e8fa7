"""The API described for machines: Swagger 2.0, which existing clients read, and OpenAPI 3.1.

Both are made by apispec from the same table of operations, and from the same fields that validate requests
and responses. Nothing here may know the requests themselves.
"""

from collections.abc import Iterable
from typing import Any

from deepaas.http.openapi.builder import SpecOptions
from deepaas.http.openapi.openapi31 import OpenApi31Builder
from deepaas.http.openapi.swagger20 import Swagger20Builder
from deepaas.model.model import Model

__all__ = ["SpecOptions", "build_openapi", "build_swagger"]


def build_swagger(models: Iterable[Model], options: SpecOptions) -> dict[str, Any]:
    """Return the Swagger 2.0 document of the API."""
    return Swagger20Builder(options).build(models, basePath=options.base_path or "/")


def build_openapi(models: Iterable[Model], options: SpecOptions) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the API."""
    return OpenApi31Builder(options).build(models, servers=[{"url": options.base_path or "/"}])
