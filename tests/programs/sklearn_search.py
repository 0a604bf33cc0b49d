"""scikit-learn's search over settings."""
import numpy as np
from pellucid.sklearn import ImageClassifier
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

X, y = load_digits(return_X_y=True)
X = (X[:90].reshape(-1, 8, 8, 1) / 16).astype(np.float32)
search = GridSearchCV(ImageClassifier(epochs=1, random_state=0), {"learning_rate": [0.001, 0.01]}, cv=2)
search.fit(X, y[:90])
print(search.best_params_, round(search.best_score_, 3))
