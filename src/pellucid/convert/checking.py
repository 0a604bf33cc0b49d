"""Which scaling a network was trained with: the usual ones tried on pictures whose classes are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike

import numpy as np

from pellucid import datasets, ops
from pellucid.convert.published import SCALINGS, Scaling
from pellucid.datasets.dataset import Split
from pellucid.datasets.download import Progress
from pellucid.errors import ConfigError
from pellucid.model import Model

CHECKED = 200
"""Pictures that are tried, evenly taken from all."""


@dataclass(frozen=True)
class Tried:
    """How a network answers with one scaling. Units: both from 0 to 1; confidence: mean of the largest probability."""

    scaling: str
    accuracy: float
    confidence: float


def compare_scalings(
    model: Model, folder: str | PathLike[str], *, blue_first: bool = False, progress: Progress | None = None
) -> list[Tried]:
    """The usual scalings on a folder with one sub-folder a class, the best first: by accuracy, then by confidence.

    blue_first: the model's first kernel was turned when it was imported, as SCALINGS["caffe"] asks for.
    Errors: ConfigError where the folder has another number of classes; DataError as datasets.load.
    """
    height, width, channels = model.graph.input_shape
    recipes: dict[str, Scaling] = {}
    for name, recipe in SCALINGS.items():
        if recipe.fits(channels) and recipe not in recipes.values() and (channels == 3 or not recipe.blue_first):
            recipes[name] = recipe
    read: dict[str, Split] = {}
    before, found = model.preprocessing, []
    try:
        for done, (name, recipe) in enumerate(recipes.items(), start=1):
            fit = recipe.fitted(model, asked=True)
            if fit.resize not in read:
                data = datasets.load(
                    folder,
                    class_names=model.class_names,
                    whole=True,
                    size=(height, width),
                    resize=fit.resize,
                    channels=channels,
                )
                if len(data.class_names) != max(model.graph.output_shape[-1], 2):
                    raise ConfigError(
                        f"{folder} has {len(data.class_names)} classes, {model.name} tells "
                        f"{model.graph.output_shape[-1]} apart; --classes-file says which they are"
                    )
                read[fit.resize] = data.test
            split = read[fit.resize]
            places = np.unique(np.linspace(0, len(split) - 1, CHECKED).astype(int))
            pictures = np.stack([np.asarray(split.images[place]) for place in places])
            if recipe.blue_first != blue_first:
                pictures = np.ascontiguousarray(pictures[..., ::-1])
            model.preprocessing = replace(fit)
            found.append(_judged(name, model.predict(pictures, verbose=0), np.asarray(split.labels)[places]))
            if progress is not None:
                progress(done, len(recipes), "scalings")
    finally:
        model.preprocessing = before
    return sorted(found, key=lambda one: (-one.accuracy, -one.confidence))


def _judged(name: str, answers: ops.Array, labels: ops.Array) -> Tried:
    shares = np.hstack([1 - answers, answers]) if answers.shape[1] == 1 else answers
    if not np.allclose(shares.sum(axis=1), 1, atol=1e-3):  # the model gives logits
        shares = ops.softmax(np.ascontiguousarray(shares))
    right = float((shares.argmax(axis=1) == labels).mean())
    return Tried(name, round(right, 6), round(float(shares.max(axis=1).mean()), 6))
