"""The servers that are measured: how each is installed, configured, started and stopped."""
