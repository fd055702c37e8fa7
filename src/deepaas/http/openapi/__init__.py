"""API documents: Swagger 2.0, for existing clients, and OpenAPI 3.1.

Both are built from one table of operations, and from the descriptions of the models.
"""

from collections.abc import Iterable
from typing import Any

from deepaas.describer.description import ModelDescription
from deepaas.http.openapi.builder import SpecOptions
from deepaas.http.openapi.openapi31 import OpenApi31Builder
from deepaas.http.openapi.swagger20 import Swagger20Builder

__all__ = ["SpecOptions", "build_openapi", "build_swagger"]


def build_swagger(models: Iterable[ModelDescription], options: SpecOptions) -> dict[str, Any]:
    """Return the Swagger 2.0 document of the API."""
    return Swagger20Builder(options).build(models, basePath=options.base_path or "/")


def build_openapi(models: Iterable[ModelDescription], options: SpecOptions) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the API."""
    return OpenApi31Builder(options).build(models, servers=[{"url": options.base_path or "/"}])
