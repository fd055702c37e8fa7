"""scikit-learn gradient boosting with verbose output."""

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor

x = np.random.default_rng(0).random((4000, 20))
GradientBoostingRegressor(n_estimators=30, verbose=2).fit(x, x.sum(1))
