"""Trains the classifier: `python -m model.train` writes weights.npz."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from model.discriminant import WEIGHTS

if __name__ == "__main__":
    flowers = load_iris()  # comes with scikit-learn; columns as in Input, cm
    names = flowers.target_names[flowers.target]
    classifier = LinearDiscriminantAnalysis().fit(flowers.data, names)
    np.savez(WEIGHTS, coefficients=classifier.coef_, intercepts=classifier.intercept_)
