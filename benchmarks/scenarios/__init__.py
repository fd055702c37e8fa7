"""Scenarios: each has a workload, the servers that run it, a measure and targets."""
