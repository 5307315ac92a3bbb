"""Nets as scikit-learn's estimators, and its unsupervised steps as transformers.

`pip install "fastnn[sklearn]"` brings scikit-learn.

>>> from sklearn.datasets import load_iris
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import StandardScaler
>>> from fastnn.sklearn import FastnnClassifier
>>> x, y = load_iris(return_X_y=True)
>>> net = make_pipeline(StandardScaler(), FastnnClassifier(
...     (20,), batch_size=10, learning_rate="one-cycle", learning_rate_init=0.02, epochs=20,
...     random_state=0))
>>> net.fit(x, y).score(x, y) > 0.9
True
"""

try:
    import sklearn
except ImportError as error:
    raise ImportError('fastnn.sklearn needs scikit-learn: pip install "fastnn[sklearn]"') from error
del sklearn

from fastnn.sklearn.classifier import FastnnClassifier
from fastnn.sklearn.regressor import FastnnRegressor
from fastnn.sklearn.transformers import RBMTransformer, Whitening

__all__ = ["FastnnClassifier", "FastnnRegressor", "RBMTransformer", "Whitening"]
