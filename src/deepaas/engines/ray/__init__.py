"""The Ray engine: every worker and training is a process held by a Ray actor on a node of the cluster.

Imported only with `--engine ray`.
"""
