"""Measurements of this server beside others, on the same machine, in the same minutes."""
