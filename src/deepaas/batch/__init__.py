"""Batch predictions: input files, shards, the manifest of results, and the runner."""
