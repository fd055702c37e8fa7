"""`deepaas-cli`: a model's functions without a server, and what else there is to do with a model."""

from deepaas.cmd.cli.commands import main

__all__ = ["main"]
