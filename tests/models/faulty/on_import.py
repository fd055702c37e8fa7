"""A model that raises on import."""

raise RuntimeError("broken on purpose on import")
