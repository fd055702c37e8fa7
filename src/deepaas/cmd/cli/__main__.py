"""`python -m deepaas.cmd.cli`."""

from deepaas.cmd.cli import main

if __name__ == "__main__":  # false in processes that a model spawns
    main(prog_name="deepaas-cli")
