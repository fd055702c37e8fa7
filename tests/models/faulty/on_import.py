"""A model that cannot be read."""

raise RuntimeError("broken on purpose on import")
