"""scikit-learn's way: fit, predict, score."""
import numpy as np
from pellucid.sklearn import ImageClassifier
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X = (X.reshape(-1, 8, 8, 1) / 16).astype(np.float32)
X_train, X_test, y_train, y_test = train_test_split(X[:200], y[:200], test_size=0.25, random_state=0)
clf = ImageClassifier(epochs=2, random_state=0)
clf.fit(X_train, y_train)
print(accuracy_score(y_test, clf.predict(X_test)), clf.predict_proba(X_test[:2]).shape, clf.score(X_test, y_test))
