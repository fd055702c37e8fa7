"""Trainings: their records, where records live, and the processes that run them."""
