"""Worker processes: what runs in one, how the server sees one, and the pool that feeds them."""
