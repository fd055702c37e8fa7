"""Translates Ray errors into ours, with advice for the operator."""

import contextlib
import platform
from collections.abc import Iterator, Mapping
from typing import Any

import ray

from deepaas.errors import ModelUnavailable, WorkerKilledDuringStart
from deepaas.messages import Failure

ACTOR_LOST = "was lost with its Ray actor or node"
_CANNOT_BE_USED = "The model '{}' cannot be used:"
_NO_RESOURCES = (
    "in {:g} s, no node of the Ray cluster had room for a worker ({:g} CPU, {:g} GPU). Request fewer "
    "resources (--worker-cpus, --worker-gpus) or add nodes; see 'ray status'."
)
_INSTALL_HINT = (
    "Install deepaas[ray] and the model's package on {}, or start its Ray in an environment that has them."
)


@contextlib.contextmanager
def translate_ray_errors(name: str, options: Mapping[str, Any], timeout_s: float) -> Iterator[None]:
    """Translate errors of placing and starting a worker of the model `name`.

    `options` are the options of its actor. Raise `ModelUnavailable`, or `WorkerKilledDuringStart` when the
    actor is lost.
    """
    cannot = _CANNOT_BE_USED.format(name)
    try:
        yield
    except TimeoutError as error:
        no_room = _NO_RESOURCES.format(timeout_s, options["num_cpus"], options["num_gpus"])
        raise ModelUnavailable(f"{cannot} {no_room}") from error
    except ray.exceptions.RayActorError as error:
        if error.actor_init_failed:
            raise ModelUnavailable(
                f"{cannot} {_last_line(error)}. {_INSTALL_HINT.format('every node')}"
            ) from error
        raise WorkerKilledDuringStart(f"{cannot} its worker {ACTOR_LOST} while starting.") from error
    except ray.exceptions.RayError as error:
        raise ModelUnavailable(f"{cannot} {_last_line(error)}") from error


def check_version(name: str, node: str, version: str) -> None:
    """Raise `ModelUnavailable` if the node's Python differs from the server's in major or minor version."""
    own = platform.python_version()
    if version.rpartition(".")[0] != own.rpartition(".")[0]:
        different = f"the server runs Python {own}, the node {node} runs {version}: use the same version."
        raise ModelUnavailable(f"{_CANNOT_BE_USED.format(name)} {different}")


def add_node_hint(failed: Failure, node: str) -> Failure:
    """Add the node and an advice to the message of a failed import."""
    if "No module named" not in failed.message:
        return failed
    return failed._replace(message=f"{failed.message}. {_INSTALL_HINT.format(f'the node {node}')}")


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]
