"""The describer: a process per model that imports it for the server, which runs no user code."""
