"""Worker processes, and the pool that dispatches calls to them."""
