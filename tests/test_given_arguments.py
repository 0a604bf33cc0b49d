"""Every argument of what people call, given what it cannot be: one line that names it, or it works; nothing else."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Dense, Flatten, Input, Sequential, initializers, layers, losses, optimizers, schedules
from pellucid.errors import PellucidError
from pellucid.layers import L1L2
from pellucid.train import EarlyStopping, TrainConfig

X = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), np.uint8)
Y = np.arange(8) % 2

BAD: dict[str, Any] = {
    "None": None,
    "a word": "abc",
    "a number": 5,
    "a list": [],
    "a dictionary": {},
    "-1": -1,
    "NaN": math.nan,
    "infinity": math.inf,
    "huge": 10**30,
    "half": 0.5,
    "nested": [[1, [2]], "x"],
    "an object": object(),
    "an array": np.zeros((2, 3)),
    "a tuple": (1, 2, 3, 4, 5),
    "bytes": b"abc",
    "a number as text": "0.1",
    "True": True,
    "a type": int,
    "complex": 1j,
    "control characters": "a\0b\n\x1b[2J\x9b",
    "half a letter": "\ud800",
    "overlong": "x" * 5000,
}


def network() -> Sequential:
    model = Sequential([Input((4, 4, 1)), Flatten(), Dense(2, "softmax")], name="net")
    model.compile("sgd", "categorical_crossentropy")
    return model


def with_one(call: Callable[..., Any], given: dict[str, Any]) -> Callable[[str, Any], Any]:
    """The call with one argument replaced."""

    def run(name: str, value: Any) -> Any:
        return call(**{**given, name: value})

    return run


def of_model(method: str, **given: Any) -> tuple[Callable[[str, Any], Any], list[str]]:
    names = [name for name in inspect.signature(getattr(Sequential, method)).parameters if name != "self"]
    return lambda name, value: getattr(network(), method)(**{**given, name: value}), names


def kinds_of(base: type, module: ModuleType) -> list[type]:
    """The classes a module offers that are kinds of this one."""
    offered = [getattr(module, name) for name in module.__all__]
    return [one for one in offered if isinstance(one, type) and issubclass(one, base) and one is not base]


def calls(folder: Path) -> dict[str, tuple[Callable[[str, Any], Any], list[str]]]:
    file = folder / "m.safetensors"
    network().save(file)
    found = {
        "fit": of_model("fit", x=X, y=Y, verbose=0),
        "evaluate": of_model("evaluate", x=X, y=Y, verbose=0),
        "predict": of_model("predict", x=X, verbose=0),
        "compile": of_model("compile"),
        "build": of_model("build"),
        "add": of_model("add"),
        "get_layer": of_model("get_layer"),
        "set_weights": of_model("set_weights"),
        "save": of_model("save"),
        "memory": of_model("memory"),
        "summary": of_model("summary"),
        "trace": (
            lambda name, value: pellucid.trace(**{"model": network(), "images": X, "labels": Y, name: value}),
            list(inspect.signature(pellucid.trace).parameters),
        ),
        "load": (lambda name, value: pellucid.load(**{"path": file, name: value}), ["path", "custom_layers", "strict"]),
        "Sequential": (lambda name, value: Sequential(**{name: value}), ["layers", "name", "seed"]),
    }
    required: dict[str, Any] = {
        **{"filters": 2, "kernel_size": 2, "units": 2, "rate": 0.5, "activation": "relu", "shape": (4, 4, 1)},
        **{"table": [[0]], "initial": 0.1, "every": 2, "steps": 3, "after": 0.1, "value": 0.1, "name": "f"},
        **{"stddev": 0.1, "dims": (2, 1), "target_shape": (4, 4), "output_size": 2, "n": 2, "axes": 1, "start": 0},
        **{"initial_learning_rate": 0.1, "decay_steps": 2, "first_decay_steps": 2, "decay_rate": 0.5},
        **{"boundaries": [2], "values": [0.1, 0.2], "first": 0.1},
        **{"height": 4, "width": 4, "factor": 0.1, "height_factor": 0.1, "width_factor": 0.1, "scale": 0.5},
        **{"input_dim": 3, "output_dim": 2, "num_heads": 2, "key_dim": 2, "equation": "ab,bc->ac", "output_shape": 2},
        **{"layer": layers.LSTM(2), "features": 2, "exponent": 2.0},
    }
    made: list[Callable[..., Any]] = [
        *layers.LAYERS.values(),
        *kinds_of(losses.Loss, losses), *kinds_of(optimizers.Optimizer, optimizers),
        *kinds_of(schedules.Schedule, schedules), *kinds_of(initializers.Initializer, initializers),
        L1L2, EarlyStopping, TrainConfig, losses.get, optimizers.get, initializers.get,
    ]  # fmt: skip
    for cls in made:
        parameters = inspect.signature(cls).parameters
        needed = [name for name, value in parameters.items() if value.default is inspect.Parameter.empty]
        where = f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
        found[where] = with_one(cls, {name: required.get(name, "sgd") for name in needed}), list(parameters)
    return found


def attempts(folder: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    for where, (call, names) in calls(folder).items():
        for name in names:
            for word, value in BAD.items():
                yield f"{where}({name}={word})", lambda call=call, name=name, value=value: call(name, value)


SLOW = {"fit(epochs=huge)", "summary(print_fn=a type)"}
"""Which would go on for ever, or call what fails itself."""


NAMED = {
    **dict.fromkeys(("x", "images"), ("pictures",)),
    **dict.fromkeys(("y", "labels"), ("label",)),
    **dict.fromkeys(("layer", "layers", "index"), ("layer",)),
    "callbacks": ("callback",),
    "weights": ("arrays", "kernel"),
    "shape": ("Input",),
    "name": ("layer",),
    "lr": ("learning_rate",),
    "learning_rate": ("schedule",),
    "spec": ("is a", "unknown", "learning rate"),
    "class_weight": ("classes",),
    "path": ("model", "abc"),
}
"""What else an argument is called in its errors."""


@pytest.mark.filterwarnings("ignore")
def test_what_an_argument_cannot_be_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = []
    for where, call in attempts(tmp_path):
        if where in SLOW:
            continue
        name = where.partition("(")[2].partition("=")[0]
        try:
            call()
        except PellucidError as error:
            text = str(error)
            words = {name, name.replace("_", " "), *NAMED.get(name, ())}
            if not text.isprintable() or len(text) > 600:
                wrong.append(f"{where}: not one line: {text[:200]!r}")
            elif not any(word in text for word in words):
                wrong.append(f"{where}: does not name it: {text[:200]}")
        except Exception as error:  # which is what is looked for
            wrong.append(f"{where}: {type(error).__name__}: {str(error)[:160]}")
    assert not wrong, f"{len(wrong)} of them:\n" + "\n".join(wrong)
