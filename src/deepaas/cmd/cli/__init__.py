"""`deepaas-cli`: runs a model's functions without a server, checks models and creates model packages."""

from deepaas.cmd.cli.commands import main

__all__ = ["main"]
