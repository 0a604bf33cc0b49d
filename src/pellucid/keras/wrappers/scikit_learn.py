"""Keras models as estimators of scikit-learn, as Keras 2 and scikeras have them: made by a function in each `fit`.

`pellucid.sklearn.ImageClassifier` is the estimator that passes scikit-learn's own checks.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np

from pellucid._modules import optional
from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.keras.models import Model
from pellucid.model import Model as Network  # whose arguments have names
from pellucid.ops import Array
from pellucid.train import History

optional("sklearn", "sklearn", "keras.wrappers.scikit_learn")

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin  # noqa: E402

__all__ = ["KerasClassifier", "KerasRegressor"]


class KerasEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both have. build_fn, or model: a function that gives a compiled model, or such a model itself.

    sk_params: what that function, `fit` or `predict` takes, each by its name ("model__NAME" too); searches set them.
    Errors: ConfigError for a name that none of them takes.
    """

    def __init__(self, build_fn: Callable[..., Any] | Model | None = None, **sk_params: Any) -> None:
        self.build_fn, self.sk_params = build_fn, sk_params
        self._check(sk_params)

    @property
    def _build(self) -> Any:
        build = self.sk_params.get("model") if self.build_fn is None else self.build_fn
        if not callable(build):
            raise ConfigError(
                f"{type(self).__name__}: build_fn must be a function that gives a model, got {shown(build)}"
            )
        return build

    def _check(self, given: Mapping[str, Any]) -> None:
        makes = () if isinstance(self._build, Model) else inspect.signature(self._build).parameters
        uses = (inspect.signature(use).parameters for use in (Network.fit, Network.predict))
        known = [*makes, *(name for use in uses for name in use)]
        for name in given:
            if name != "model" and name.removeprefix("model__") not in known:
                raise unknown_name(f"parameter of {type(self).__name__}", name, known)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All that it was given."""
        return {**self.sk_params, "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> Self:
        """Others from the next `fit` on."""
        self.build_fn = params.pop("build_fn", self.build_fn)
        self._check(params)
        self.sk_params = {**self.sk_params, **params}
        return self

    def _taken(self, function: Any, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Of what it was given, the arguments that a function takes."""
        takes = inspect.signature(function).parameters
        plain = {name.removeprefix("model__"): value for name, value in self.sk_params.items() if name != "model"}
        return {**{name: value for name, value in plain.items() if name in takes}, **(more or {})}

    def fit(self, x: Any, y: Any, **kwargs: Any) -> History:
        """Make the model and train it; kwargs: of the model's `fit`. Returns its History, as Keras 2 does."""
        build = self._build
        self.model: Any = build if isinstance(build, Model) else build(**self._taken(build))
        self.model_ = self.model
        self.history_: History = self.model.fit(x, y, **self._taken(Network.fit, kwargs))
        return self.history_

    def _answers(self, x: Any, kwargs: Mapping[str, Any]) -> Array:
        return np.asarray(self.model.predict(x, **self._taken(Network.predict, kwargs)))


class KerasClassifier(ClassifierMixin, KerasEstimator):  # type: ignore[misc]
    """A model that tells classes apart. After `fit`: model, classes_, history_.

    Shapes: y (N,) of numbers or words, (N, 1), or (N, classes) of 0 and 1.
    """

    def fit(self, x: Any, y: Any, **kwargs: Any) -> History:
        """As `KerasEstimator.fit`."""
        labels = np.asarray(y)
        if labels.ndim == 2 and labels.shape[1] > 1:
            self.classes_ = np.arange(labels.shape[1])
            return super().fit(x, labels, **kwargs)
        self.classes_, places = np.unique(labels.ravel(), return_inverse=True)
        return super().fit(x, places, **kwargs)

    def predict_proba(self, x: Any, **kwargs: Any) -> Array:
        """How probable each class is. Shapes: (N, classes)."""
        found = self._answers(x, kwargs)
        return np.hstack([1 - found, found]) if found.shape[1:] == (1,) else found

    def predict(self, x: Any, **kwargs: Any) -> Array:
        """The most probable class of `classes_`. Shapes: (N,)."""
        return np.asarray(self.classes_[self.predict_proba(x, **kwargs).argmax(axis=1)])

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """How many are right, of 1."""
        labels = np.asarray(y)
        wanted = labels.argmax(axis=1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.ravel()
        return float(np.mean(self.predict(x, **kwargs) == wanted))


class KerasRegressor(RegressorMixin, KerasEstimator):  # type: ignore[misc]
    """A model that gives numbers. After `fit`: model, history_."""

    def predict(self, x: Any, **kwargs: Any) -> Array:
        """Shapes: (N,), or (N, numbers) where it gives several."""
        found = self._answers(x, kwargs)
        return found[:, 0] if found.shape[1:] == (1,) else found

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The loss with its sign changed, so that more is better, as in Keras 2."""
        judged = self.model.evaluate(x, y, verbose=0, **kwargs)
        return -float(judged[0] if isinstance(judged, list | tuple) else judged)
