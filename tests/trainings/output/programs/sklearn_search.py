"""scikit-learn grid search over a forest, both with verbose output."""

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GridSearchCV

x = np.random.default_rng(0).random((500, 5))
GridSearchCV(RandomForestRegressor(10, verbose=2), {"max_depth": [2, 3, 4]}, cv=3, verbose=3).fit(x, x.sum(1))
