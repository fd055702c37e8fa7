"""The trivial model under BentoML."""

# ruff: noqa: D102 - the methods are those that the framework calls

import bentoml
import trivial


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Trivial:
    """One worker, which is what BentoML serves a lone service with."""

    @bentoml.api
    def predict(self, x: float) -> dict:
        return trivial.predict(x)
