"""A model as one file and back: which tensors and which facts go into the checkpoint format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import checkpoint, layers, losses, optimizers
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import CheckpointError, PellucidError
from pellucid.ops.geometry import Array

if TYPE_CHECKING:
    from pellucid.model import Sequential

MODEL_FILE = "model.safetensors"


def save(model: Sequential, path: Path) -> None:
    """Write layers, parameters, state, preprocessing, classes and what `compile` chose."""
    model.build()
    facts: dict[str, Any] = {
        "kind": "model",
        "name": model.name,
        "seed": model.seed,
        "input_shape": list(model.input_shape),
        "layers": [layer.config() for layer in model.layers],
        "preprocessing": model.preprocessing.to_config(),
        "class_names": None if model.class_names is None else list(model.class_names),
        "trained_on": model.trained_on,
        "compiled": model.compiled_config(),
    }
    checkpoint.write(path, tensors_of(model), facts)


def tensors_of(model: Sequential) -> dict[str, Array]:
    """Every parameter and state array under `layer/name`."""
    return {
        f"{layer.name}/{name}": array for layer in model.layers for name, array in (layer.params | layer.state).items()
    }


def load(path: str | Path) -> Sequential:
    """The model in a file, or in a run's folder.

    Errors: CheckpointError for a file that is not a whole Pellucid model; the message names what is wrong with it.
    """
    file = Path(path)
    if file.is_dir():
        file = file / MODEL_FILE
    tensors, facts = checkpoint.read(file)
    if facts.get("kind") != "model":
        raise CheckpointError(f"{file} holds no Pellucid model, but {facts.get('kind')!r}")
    try:
        model = _restore(facts)
    except (PellucidError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file}: the description of the model cannot be followed: {error}") from error
    expected = {name: array.shape for name, array in tensors_of(model).items()}
    given = {name: array.shape for name, array in tensors.items()}
    if expected != given:
        wrong = [
            f"{name}: {given.get(name, 'missing')}, expected {expected.get(name, 'nothing')}"
            for name in sorted(expected.keys() | given.keys())
            if expected.get(name) != given.get(name)
        ]
        raise CheckpointError(f"{file}: tensors do not fit the layers: {'; '.join(wrong)}")
    for layer in model.layers:
        names = [*layer.params, *layer.state]
        if names:
            layer.set_weights([tensors[f"{layer.name}/{name}"] for name in names])
    if any(not np.isfinite(array).all() for array in tensors.values()):
        import warnings

        warnings.warn(f"{file}: some weights are NaN or infinite; the model's answers will be too", stacklevel=2)
    return model


def _restore(facts: Mapping[str, Any]) -> Sequential:
    from pellucid.model import Sequential

    model = Sequential(name=str(facts["name"]), seed=int(facts["seed"]))
    model.add(layers.Input(tuple(facts["input_shape"])))
    for config in facts["layers"]:
        model.add(layers.from_config(config))
    model.preprocessing = Preprocessing.from_config(facts["preprocessing"])
    names = facts["class_names"]
    model.class_names = None if names is None else tuple(map(str, names))
    model.trained_on = dict(facts["trained_on"])
    compiled = facts["compiled"]
    if compiled is not None:
        model.compile(optimizers.get(compiled["optimizer"]), losses.get(compiled["loss"]))
    model.build()
    return model
