"""Ray as a test plays it: actors that answer what the test says, when it says so.

They stand in for a cluster where a fault must come at one precise moment. What asks them is the real thing.
"""

import asyncio
from collections import defaultdict
from typing import Any

import pytest
import ray

Question = asyncio.Future[Any]


class Actor:
    """The handle of an actor.

    `answers` are what its methods answer, by their names, one after the other; exceptions are raised. Other
    questions wait for the test. Once it is lost or killed, all that is asked is an error.
    """

    def __init__(self, **answers: list[Any]) -> None:
        self._answers = answers
        self._questions: defaultdict[str, asyncio.Queue[Question]] = defaultdict(asyncio.Queue)
        self.is_gone = False

    def __getattr__(self, name: str) -> "Method":
        return Method(self, name)

    def ask(self, name: str) -> Question:
        """Answer a question, or let it wait."""
        question: Question = asyncio.get_running_loop().create_future()
        answers = self._answers.get(name)
        if self.is_gone:
            answer(question, died())
        elif answers:
            answer(question, answers.pop(0))
        else:
            self._questions[name].put_nowait(question)
        return question

    async def asked(self, name: str) -> Question:
        """Return the next question that waits, as soon as there is one."""
        return await self._questions[name].get()

    def lose(self) -> None:
        """Have the actor gone, as those find who wait for answers."""
        self.is_gone = True
        for questions in self._questions.values():
            while not questions.empty():
                answer(questions.get_nowait(), died())


class Method:
    """A method of an actor's, as Ray has it called."""

    def __init__(self, actor: Actor, name: str) -> None:
        self._actor = actor
        self._name = name

    def remote(self, *_: object) -> Question:
        """Ask the actor."""
        return self._actor.ask(self._name)


class Script:
    """The actors that Ray makes, one after the other; the last is the one that it finds by any name."""

    def __init__(self, *actors: Actor) -> None:
        self._actors = list(actors)
        self._last = actors[-1]

    def play(self, patch: pytest.MonkeyPatch) -> None:
        """Take the place of Ray's functions."""
        patch.setattr(ray, "remote", lambda _: self)
        patch.setattr(ray, "get_actor", lambda *_: self._last)
        patch.setattr(ray, "kill", _kill)

    def options(self, **_: object) -> "Script":
        """Take the options of the next actor."""
        return self

    def remote(self, *_: object) -> Actor:
        """Make the next actor."""
        return self._actors.pop(0)


def answer(question: Question, given: object) -> None:
    """Answer a question; as with Ray, nobody need wait for an error."""
    if isinstance(given, Exception):
        question.set_exception(given)
        question.exception()
    else:
        question.set_result(given)


def died() -> Exception:
    """Return what Ray raises for an actor that is gone."""
    return ray.exceptions.ActorDiedError()


def unavailable() -> Exception:
    """Return what Ray raises for an actor that cannot be reached for now."""
    return ray.exceptions.ActorUnavailableError("its node does not answer", None)


def _kill(actor: Actor) -> None:
    actor.is_gone = True
