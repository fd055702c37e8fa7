"""How the cost of serving grows with connections, workers, bodies, models and trainings."""
