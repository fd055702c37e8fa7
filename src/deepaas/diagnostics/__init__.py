"""Diagnostics of models (`deepaas-cli check`), run in a child process: problems and how to fix them."""
