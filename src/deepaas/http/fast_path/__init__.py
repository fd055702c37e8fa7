"""Fast path for small predictions, without aiohttp's request and response objects."""
