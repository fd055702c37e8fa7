"""Where workers and trainings run: on this machine, or on a Ray cluster."""
