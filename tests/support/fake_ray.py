"""Fake Ray actors whose methods return when and what a test decides.

They replace a cluster in tests that need a fault at one precise moment. The code that calls them is real.
"""

import asyncio
from collections import defaultdict
from typing import Any

import pytest
import ray

MethodCall = asyncio.Future[Any]


class Actor:
    """A fake actor handle.

    `results` maps a method name to its results, one for each call; an exception is raised. A call without a
    prepared result waits until the test resolves it. After `lose`, every call raises `ActorDiedError`.
    """

    def __init__(self, **results: list[Any]) -> None:
        self._results = results
        self._pending: defaultdict[str, asyncio.Queue[MethodCall]] = defaultdict(asyncio.Queue)
        self.is_gone = False

    def __getattr__(self, name: str) -> "Method":
        return Method(self, name)

    def call(self, name: str) -> MethodCall:
        """Resolve a call with the next prepared result, or leave it pending."""
        call: MethodCall = asyncio.get_running_loop().create_future()
        results = self._results.get(name)
        if self.is_gone:
            resolve(call, actor_died())
        elif results:
            resolve(call, results.pop(0))
        else:
            self._pending[name].put_nowait(call)
        return call

    async def next_call(self, name: str) -> MethodCall:
        """Wait for the next pending call of a method."""
        return await self._pending[name].get()

    def lose(self) -> None:
        """Lose the actor: all pending calls raise `ActorDiedError`."""
        self.is_gone = True
        for calls in self._pending.values():
            while not calls.empty():
                resolve(calls.get_nowait(), actor_died())


class Method:
    """A method of a fake actor."""

    def __init__(self, actor: Actor, name: str) -> None:
        self._actor = actor
        self._name = name

    def remote(self, *_: object) -> MethodCall:
        return self._actor.call(self._name)


class FakeRay:
    """Stands in for Ray: creates the result actors in order. Lookups by name return the last one."""

    def __init__(self, *actors: Actor) -> None:
        self._actors = list(actors)
        self._last = actors[-1]

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Replace the functions of Ray that create, find and kill actors."""
        patch.setattr(ray, "remote", lambda _: self)
        patch.setattr(ray, "get_actor", lambda *_: self._last)
        patch.setattr(ray, "kill", _kill)

    def options(self, **_: object) -> "FakeRay":
        return self

    def remote(self, *_: object) -> Actor:
        return self._actors.pop(0)


def resolve(call: MethodCall, result: object) -> None:
    """Resolve a call. As with Ray, nobody needs to await an error."""
    if isinstance(result, Exception):
        call.set_exception(result)
        call.exception()
    else:
        call.set_result(result)


def actor_died() -> Exception:
    """Return the error that Ray raises for an actor that is gone."""
    return ray.exceptions.ActorDiedError()


def actor_unavailable() -> Exception:
    """Return the error that Ray raises for an actor that is temporarily unreachable."""
    return ray.exceptions.ActorUnavailableError("its node does not answer", None)


def _kill(actor: Actor) -> None:
    actor.is_gone = True
