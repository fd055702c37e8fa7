"""The commands: the only readers of the command line and the environment."""
