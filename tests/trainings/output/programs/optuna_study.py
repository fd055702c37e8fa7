"""Optuna study that logs each trial."""

import time

import optuna


def objective(trial: optuna.Trial) -> float:
    time.sleep(0.1)
    return trial.suggest_float("x", -1, 1) ** 2


optuna.create_study().optimize(objective, n_trials=20)
