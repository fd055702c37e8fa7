"""How the cost of serving grows with connections, workers, upload size, models and trainings."""
