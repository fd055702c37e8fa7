"""Benchmarks of this server and others, on the same machine at the same time."""
