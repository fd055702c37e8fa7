"""Command-line programs. Only they read the command line and the environment."""
