"""scikit-learn neural network with verbose output."""

import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")
x = np.random.default_rng(0).random((2000, 20))
MLPClassifier((100, 100), max_iter=20, verbose=True).fit(x, x.sum(1) > 10)
