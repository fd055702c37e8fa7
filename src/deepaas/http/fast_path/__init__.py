"""Small predictions, past aiohttp's machinery."""
