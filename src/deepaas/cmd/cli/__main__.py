"""`python -m deepaas.cmd.cli`."""

from deepaas.cmd.cli import main

main(prog_name="deepaas-cli")
