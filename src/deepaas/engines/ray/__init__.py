"""The engine of a Ray cluster: a worker, and a training, is a process that an actor holds on some node.

Nothing here is imported unless this engine is chosen.
"""
