"""scikit-learn's pipeline around a network."""
import numpy as np
from pellucid.sklearn import ImageClassifier
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

X, y = load_digits(return_X_y=True)
X, y = X[:90], y[:90]


def as_pictures(rows):
    return (rows.reshape(-1, 8, 8, 1) / 16).astype(np.float32)


pipe = make_pipeline(FunctionTransformer(as_pictures), ImageClassifier(epochs=1, random_state=1))
print(cross_val_score(clone(pipe), X, y, cv=2))
pipe.fit(X, y)
print(pipe.predict(X[:3]), pipe.score(X, y))
