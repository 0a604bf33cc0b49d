"""The Python program that builds and trains just this network: layers, data and settings as they are at the moment."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from pellucid import losses, optimizers
from pellucid._python import identifier, in_docstring, literal
from pellucid.datasets import Dataset
from pellucid.datasets.augmentation import Augmentation
from pellucid.datasets.transforms import Preprocessing
from pellucid.lab.settings import Settings
from pellucid.layers import LAYERS, Layer, from_config
from pellucid.layers.graph import INPUT
from pellucid.model import Model
from pellucid.runs.setup import fraction

ARRAYS = "pictures.npz"
"""Where a program looks for pictures that came as arrays."""

USUAL: dict[str, Any] = {"size": None, "channels": None, "resize": "crop", "validation": None, "seed": 0}
"""What `datasets.load` does where nothing is said."""

RESERVED = (
    *("EPOCHS", "Input", "Model", "dataset", "file", "held_out", "inputs", "model", "numpy", "pellucid", "train"),
    *LAYERS,
)
"""Names that a program has already."""


def program(
    model: Model,
    dataset: Dataset,
    loading: Mapping[str, Any] | None,
    settings: Settings,
    augment: Augmentation | None,
    epochs: int,
) -> str:
    """The program's text. loading: how the pictures were loaded, see `runs.setup.load_data`; None for arrays."""
    config = model.optimizer.config()
    spared = config.pop("no_decay", ())
    optimizer = written(model.optimizer, config, optimizers.get, "pellucid.optimizers.")
    loss = written(model.loss, model.loss.config(), losses.get, "pellucid.losses.")
    lines = [
        f'"""{in_docstring(model.name)} on {in_docstring(dataset.name)}, as it was set in the lab of Pellucid."""',
        "",
        *_imports(model, arrays=loading is None),
        "",
        f"EPOCHS = {epochs}",
        "",
        *_data(loading),
        "",
        *_network(model),
        *_scaling(model.preprocessing),
        f"model.class_names = {literal(model.class_names)}",
        f"model.compile({optimizer}, {loss})",
        *([f"model.optimizer.no_decay = {literal(spared)}"] if spared else []),
        "",
        "model.fit(",
        "    train.images,",
        "    train.labels,",
        f"    batch_size={settings.batch_size},",
        "    epochs=EPOCHS,",
        "    validation_data=(held_out.images, held_out.labels),",
        *([] if augment is None else [f"    augment={literal(str(augment))},"]),
        ")",
        'model.save("model.safetensors")',
    ]
    return "\n".join(lines) + "\n"


def written(thing: Any, config: Mapping[str, Any], make: Callable[[dict[str, Any]], Any], prefix: str = "") -> str:
    """The call that makes a layer, an optimizer or a loss again, with the arguments that are not as usual.

    config: what `thing.config()` says, or what of it is to be written. make: makes one of its config.
    """
    given = {name: value for name, value in config.items() if name != "type"}
    parameters = inspect.signature(type(thing)).parameters
    required = [name for name in given if parameters[name].default is inspect.Parameter.empty]

    def config_with(arguments: Mapping[str, Any]) -> dict[str, Any]:
        return dict(make({"type": config["type"], **arguments}).config())

    whole, said = config_with(given), dict(given)
    for name in given:  # a default may depend on another argument
        without = {other: value for other, value in said.items() if other != name}
        if name not in required and config_with(without) == whole:
            said = without
    arguments = []
    for name, value in said.items():
        for simpler in _simpler(value):
            if config_with({**said, name: simpler}) == whole:
                value = simpler
        by_name = name not in required or parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        arguments.append(f"{name}={literal(value)}" if by_name else literal(value))
    return f"{prefix}{type(thing).__name__}({', '.join(arguments)})"


def _simpler(value: Any) -> list[Any]:
    """One number for equal ones: [[2, 2], [2, 2]] as [2, 2] and as 2; they may mean something else."""
    found = []
    while isinstance(value, list) and value and all(each == value[0] for each in value):
        value = value[0]
        found.append(value)
    return found


def _imports(model: Model, *, arrays: bool) -> list[str]:
    kinds = {type(layer) for layer in model.flat_layers}
    public = sorted(
        {"Input", "Sequential" if model.reads is None else "Model"} | {k.__name__ for k in kinds if _known(k)}
    )
    own = sorted((kind.__module__, kind.__name__) for kind in kinds if not _known(kind))
    lines = [*(["import numpy", ""] if arrays else []), "import pellucid"]
    joined = f"from pellucid import {', '.join(public)}"
    lines += [joined] if len(joined) <= 120 else ["from pellucid import (", *(f"    {name}," for name in public), ")"]
    return lines + [f"from {module} import {name}" for module, name in own]


def _known(kind: type[Layer]) -> bool:
    return LAYERS.get(kind.__name__) is kind


def _data(loading: Mapping[str, Any] | None) -> list[str]:
    if loading is None:
        return [
            "# The pictures came as arrays: this file holds them as",
            f"# numpy.savez({literal(ARRAYS)}, images=..., labels=..., test_images=..., test_labels=...) writes them.",
            f"with numpy.load({literal(ARRAYS)}) as file:",
            '    train = pellucid.datasets.Split(file["images"], file["labels"])',
            '    held_out = pellucid.datasets.Split(file["test_images"], file["test_labels"])',
        ]
    validation = loading["validation"]
    given = {**loading, "validation": validation if validation is None else fraction(validation) or validation}
    said = [f"{name}={literal(given[name])}" for name, usual in USUAL.items() if given[name] != usual]
    said += [f"{name}={literal(given[name])}" for name in ("labels", "columns") if given.get(name)]
    taken = ["" if loading[name] is None else f".take({loading[name]})" for name in ("limit", "test_limit")]
    return [
        f"dataset = pellucid.datasets.load({', '.join([literal(loading['data']), *said])})",
        f"train, held_out = dataset.train{taken[0]}, dataset.held_out{taken[1]}",
    ]


def _network(model: Model) -> list[str]:
    custom = {type(layer).__name__: type(layer) for layer in model.flat_layers if layer.custom}

    def made(layer: Layer) -> str:
        config = {name: value for name, value in layer.config().items() if name != "input_shape"}
        if layer.auto_named:
            del config["name"]
        return written(layer, config, lambda given: from_config(given, custom))

    more = f", {literal(model.name)}, seed={model.seed}" + (", exact_convolution=True" * model.exact_convolution)
    shape = literal(list(model.graph.input_shape))
    if model.reads is None:
        lines = [f"    Input({shape}),", *(f"    {made(layer)}," for layer in model.flat_layers)]
        return ["layers = [", *lines, "]", f"model = Sequential(layers{more})"]
    values = {INPUT: "inputs"}
    lines = [f"inputs = Input({shape})"]
    times = Counter(id(layer.store) for layer in model.flat_layers)
    shared: dict[int, str] = {}
    for number, node in enumerate(model.graph.nodes):
        layer, read = node.layer, ", ".join(values[i] for i in node.inputs)
        called = shared.get(id(layer.store)) or made(layer)
        if times[id(layer.store)] > 1 and id(layer.store) not in shared:  # it gets a name of its own
            name = identifier(f"{layer.name}_layer", {*values.values(), *shared.values(), *RESERVED})
            lines.append(f"{name} = {called}")
            called = shared[id(layer.store)] = name
        values[number] = identifier(layer.name, {*values.values(), *shared.values(), *RESERVED})
        lines.append(f"{values[number]} = {called}({f'[{read}]' if layer.merges else read})")
    return [*lines, f"model = Model(inputs, {values[model.graph.output]}{more})"]


def _scaling(scaling: Preprocessing) -> list[str]:
    usual, config = Preprocessing().to_config(), scaling.to_config()
    given = ", ".join(f"{name}={literal(value)}" for name, value in config.items() if value != usual[name])
    return [f"model.preprocessing = pellucid.datasets.transforms.Preprocessing({given})"] if given else []
