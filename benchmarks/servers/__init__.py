"""The measured servers: how each is installed, configured, started and stopped."""
