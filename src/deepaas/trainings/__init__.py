"""Trainings: their records, the database, and the processes that run them."""
