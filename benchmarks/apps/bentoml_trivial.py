"""The trivial model under BentoML."""

# ruff: noqa: D102 - the framework defines the methods

import bentoml
import trivial


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Trivial:
    """One worker, the default of BentoML for a single service."""

    @bentoml.api
    def predict(self, x: float) -> dict:
        return trivial.predict(x)
