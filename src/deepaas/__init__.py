"""Serve and train any Python model over REST."""

from deepaas.reporting import artifacts, report

__all__ = ["artifacts", "report"]
