"""A network as an estimator of scikit-learn: in pipelines, in grid searches, with its checks passed.

    from pellucid.sklearn import ImageClassifier

    classifier = ImageClassifier("photo-net", image_shape=(8, 8, 1), epochs=10)
    print(cross_val_score(classifier, *load_digits(return_X_y=True)))

`pip install 'pellucid[sklearn]'`.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from pellucid import optimizers, zoo
from pellucid._modules import optional
from pellucid.errors import ConfigError, DataError, shown
from pellucid.layers import Dense, Input
from pellucid.model import Model, Sequential
from pellucid.ops import Array, Shape
from pellucid.train import EarlyStopping, History

optional("sklearn", "sklearn", "pellucid.sklearn")

from sklearn.base import BaseEstimator, ClassifierMixin  # noqa: E402
from sklearn.utils.multiclass import check_classification_targets  # noqa: E402
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data  # noqa: E402

__all__ = ["ImageClassifier", "dense_net"]

RESIZE = "crop"
"""How pictures of files are fitted, as those of a folder are."""

PICTURES = "photo-net"
"""The network for pictures where none is named: it fits itself to their size."""


def dense_net(
    input_shape: Shape, classes: int, *, hidden: Sequence[int] = (64,), activation: str = "relu", seed: int = 0
) -> Sequential:
    """Dense layers over rows of numbers, and a softmax: the network where X are rows and nobody says their pictures'
    shape."""
    layers = [Dense(units, activation=activation, kernel_initializer="he_normal") for units in hidden]
    return Sequential([Input(input_shape), *layers, Dense(classes, activation="softmax")], name="dense-net", seed=seed)


class ImageClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Trains a network on pictures, their files or rows of numbers; passes scikit-learn's `check_estimator`.

    network: a name in `pellucid.zoo`, or a function f(input_shape, classes, seed) that gives a Model; None: photo-net
    for pictures, `dense_net` for rows. settings: further arguments of it. image_shape: (H, W) or (H, W, C) of pictures
    that come as rows, as in scikit-learn's own data sets: (8, 8) for its digits. optimizer, learning_rate, batch_size,
    epochs, class_weight, augment: as in `Model.compile` and `fit`. patience: stop after so many epochs without a better
    one on held-out pictures, of which validation_fraction is taken, and keep the best. random_state: a whole number
    gives the same bits each time; None is 0. verbose: 0 for silence.

    After `fit`: model_ (the Model), classes_, history_, n_iter_ (epochs), n_features_in_ (of rows).

    Pictures of whole numbers (uint8) are divided by 255. Floats are brought to mean 0 and deviation 1, each feature of
    rows, each channel of pictures, by the numbers of the pictures that `fit`, or the first `partial_fit`, has seen.
    Files of pictures, given by their names, become as large as image_shape says, or as `datasets.load` makes those of a
    folder. Weights of samples are not taken: scikit-learn wants a weight of 2 to be the same as the picture twice, and
    mini-batches know no such thing. There are class_weight= and `model_.fit(sample_weight=...)`.
    Shapes: X (N, features), (N, H, W), (N, H, W, C), or (N,) names of files; y (N,) of numbers or words.
    Errors: ValueError, as scikit-learn has it; ours are ValueErrors too.
    """

    def __init__(
        self,
        network: str | Callable[..., Model] | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        image_shape: Sequence[int] | None = None,
        epochs: int = 20,
        batch_size: int = 32,
        optimizer: str | optimizers.Optimizer = "adam",
        learning_rate: float | None = 0.003,
        class_weight: Mapping[Any, float] | str | None = None,
        augment: str | None = None,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        random_state: Any = 0,
        verbose: int | str = 0,
    ) -> None:
        self.network = network
        self.settings = settings
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.class_weight = class_weight
        self.augment = augment
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: Any, y: Any) -> Self:
        """Train a new network."""
        images, labels = self._checked(X, y, None, first=True)
        return self._train(images, labels, self.epochs)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """One epoch more, on these pictures. classes: all that there will be; needed in the first call.

        Errors: ValueError for a class that was not named then.
        """
        first = not hasattr(self, "model_")
        images, labels = self._checked(X, y, classes, first=first)
        return self._train(images, labels, 1)

    def predict_proba(self, X: Any) -> Array:
        """How probable each class is. Shapes: (N, classes) float64, rows of sum 1, in the order of `classes_`."""
        check_is_fitted(self, "model_")
        images = self._scaled(validate_data(self, self._read(X), reset=False, allow_nd=True))
        found = np.asarray(self.model_.predict(images, verbose=0), np.float64)
        if found.shape[1:] == (1,):
            found = np.hstack([1 - found, found])
        return np.asarray(found / found.sum(axis=1, keepdims=True))  # float32's rounding taken out

    def predict(self, X: Any) -> Array:
        """The most probable class. Shapes: (N,) of what `classes_` holds."""
        found = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[found])

    def _checked(self, X: Any, y: Any, classes: Any, *, first: bool) -> tuple[Array, Array]:
        """Pictures as the network takes them, and class numbers; in the first call, what is learned of their form."""
        X, y = validate_data(self, self._read(X, first=first), y, reset=first, allow_nd=True)
        check_classification_targets(y)
        if first:
            self.classes_ = np.unique(y if classes is None else classes)
            if len(self.classes_) < 2:
                raise DataError(
                    f"{type(self).__name__} needs two classes at least, got 1 class: {self.classes_.tolist()}"
                )
            self._measure(X)
            images = self._scaled(X)
            self.model_ = self._made(images.shape[1:])
        else:
            images = self._scaled(X)
        places = np.searchsorted(self.classes_, y).clip(0, len(self.classes_) - 1)
        if (self.classes_[places] != y).any():
            wrong = y[self.classes_[places] != y].tolist()[0]
            raise DataError(f"unknown class {wrong!r}; the first call named {shown(self.classes_.tolist())}")
        return images, places

    def _read(self, X: Any, *, first: bool = False) -> Any:
        """The pictures of files that are named, in the size of the first ones; all else as it is."""
        files = _names_of_files(X)
        if files is None:
            return X
        from pellucid.datasets.pictures import Fitting, decode, probe
        from pellucid.datasets.sizes import fitting_of

        paths = [Path(file) for file in files]
        if first:
            shape, probes = tuple(self.image_shape or ()), [probe(path) for path in paths]
            channels = shape[2] if len(shape) > 2 else None
            self._fitting: Fitting = fitting_of(probes, shape[:2] or None, RESIZE, channels)  # type: ignore[arg-type]
        return np.stack([decode(path, self._fitting) for path in paths])

    def _made(self, shape: Shape) -> Model:
        """A new network for pictures or rows of this shape, compiled."""
        seed, classes, settings = self._seed(), len(self.classes_), dict(self.settings or {})
        network = self.network or (dense_net if len(shape) == 1 else PICTURES)
        if isinstance(network, str):
            if len(shape) == 1:
                raise ConfigError(f"{network} takes pictures, X has rows of {shape[0]} numbers: image_shape=(H, W)")
            model = zoo.build(network, input_shape=shape, classes=classes, seed=seed, options=settings)
        elif callable(network):
            model = network(input_shape=shape, classes=classes, seed=seed, **settings)
        else:
            raise ConfigError(f"network is a name in pellucid.zoo or a function that makes one, got {shown(network)}")
        optimizer = copy.deepcopy(optimizers.get(self.optimizer))
        if self.learning_rate is not None and isinstance(self.optimizer, str):
            optimizer.learning_rate = self.learning_rate
        model.compile(
            optimizer, "binary_crossentropy" if model.graph.output_shape == (1,) else "categorical_crossentropy"
        )
        model.seed = seed
        return model

    def _train(self, images: Array, labels: Array, epochs: int) -> Self:
        weights = self.class_weight
        if isinstance(weights, Mapping):
            weights = {place: weights.get(name, 1.0) for place, name in enumerate(self.classes_.tolist())}
        early = None
        if self.patience is not None and epochs > 1:
            early = EarlyStopping(patience=self.patience, restore_best_weights=True)
        history: History = self.model_.fit(
            images,
            labels,
            batch_size=self.batch_size,
            epochs=epochs,
            verbose=self.verbose,
            callbacks=early,
            validation_split=self.validation_fraction if early else 0.0,
            class_weight=weights,
            augment=self.augment,
            doctor=False,
        )
        self.model_.trained_on.pop("range", None)  # pictures are scaled here, whatever they hold
        self.history_, self.n_iter_ = history, getattr(self, "n_iter_", 0) * (epochs == 1) + len(history.epoch)
        return self

    def _seed(self) -> int:
        state = 0 if self.random_state is None else self.random_state
        if isinstance(state, int | np.integer):
            return int(state)
        return int(check_random_state(state).randint(2**31))

    def _measure(self, X: Array) -> None:
        """Mean and deviation of what is brought to 0 and 1; nothing of whole levels."""
        shaped = self._shaped(X)
        axes = tuple(range(shaped.ndim - 1))
        if shaped.dtype == np.uint8:
            self._mean, self._deviation = None, None
            return
        deviation = shaped.std(axis=axes, dtype=np.float64)
        self._mean = shaped.mean(axis=axes, dtype=np.float64)
        self._deviation = np.where(deviation > 0, deviation, 1.0)

    def _scaled(self, X: Array) -> Array:
        shaped = self._shaped(X)
        if self._mean is None:
            return shaped if shaped.dtype == np.uint8 else np.asarray(shaped / 255, np.float32)
        return np.asarray((shaped - self._mean) / self._deviation, np.float32)

    def _shaped(self, X: Array) -> Array:
        """Rows as pictures, where they are some; pictures with their axis of channels."""
        if X.ndim == 2 and self.image_shape is not None:
            height, width, *channels = self.image_shape
            wanted = (height, width, *(channels or [1]))
            if X.shape[1] != np.prod(wanted):
                raise DataError(f"image_shape={tuple(self.image_shape)} has {np.prod(wanted)} numbers, X {X.shape[1]}")
            return X.reshape(len(X), *wanted)
        return X[..., None] if X.ndim == 3 else X


def _names_of_files(X: Any) -> list[Any] | None:
    """Names of files as they come, in a list, an array, a Series or the one column of a DataFrame; else None."""
    listed = np.asarray(X, object) if isinstance(X, list | tuple) or hasattr(X, "to_numpy") else X
    if not isinstance(listed, np.ndarray) or listed.dtype.kind not in "OU" or not listed.size:
        return None
    flat = listed.reshape(-1)
    one_each = listed.ndim == 1 or listed.shape == (len(listed), 1)
    return list(flat) if one_each and all(isinstance(name, str | os.PathLike) for name in flat) else None
