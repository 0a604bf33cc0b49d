"""docs/catalogue.md: a row for everything the registries know, and every row works from Python and the command line."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from commands import Command

import pellucid
from pellucid import initializers, layers, losses, optimizers, schedules, zoo
from pellucid.layers.activation import ACTIVATIONS
from pellucid.zoo.simple_convnet import POOLINGS

DOCS = Path(__file__).parent.parent / "docs"
QUICK = ("--limit", 60, "--test-limit", 20, "--epochs", 1, "--quiet")


@dataclass(frozen=True)
class Row:
    """One line of the table; names are what stands in code type in its second cell."""

    choice: str
    names: tuple[str, ...]
    when: str
    python: str
    command: tuple[str, ...]


def read(path: Path) -> list[Row]:
    lines = [line for line in path.read_text("utf-8").splitlines() if line.startswith("| ")][2:]
    rows = []
    for line in lines:
        choice, name, when, python, command = (cell.strip() for cell in line.strip("|").split(" | "))
        names = tuple(re.findall(r"`(.+?)`", name))
        rows.append(Row(choice, names, when, python.strip("`"), tuple(shlex.split(command.strip("`")))))
    return rows


ROWS = read(DOCS / "catalogue.md")

every_row = pytest.mark.parametrize("row", ROWS, ids=[f"{row.choice}-{'-'.join(row.names)}" for row in ROWS])


def test_the_registries_have_no_more_than_the_table() -> None:
    told: dict[str, set[str]] = {}
    for row in ROWS:
        told.setdefault(row.choice, set()).update(row.names)
    assert told["optimizer"] == set(optimizers.NAMES)
    assert told["loss"] == set(losses.NAMES)
    assert told["initializer"] == set(initializers.NAMES)
    assert told["schedule"] == set(schedules.NAMES)
    assert told["activation"] == {*ACTIVATIONS, "ScaledTanh"}
    arguments = {"pool_size", "strides", "ceil_mode", "count_include_pad"}
    assert told["pooling"] == {*POOLINGS, *arguments, "Subsampling2D"}
    assert told["filters"] | told["dense"] == {"filters", "kernel_size", "strides", "units"}
    assert told["convolution"] == {"Conv2DTranspose", "SeparableConv2D", "DepthwiseConv2D"}
    assert told["normalisation"] == {"BatchNorm", "GroupNorm", "LayerNorm"}
    assert told["padding"] == {"valid", "same"} and told["penalty"] == {"l1", "l2", "l1_l2"}


def test_both_languages_have_the_same_rows() -> None:
    korean = read(DOCS / "catalogue.ko.md")
    assert [(row.names, row.python, row.command) for row in korean] == [
        (row.names, row.python, row.command) for row in ROWS
    ]
    assert all(re.search("[가-힣]", row.when) and row.when.endswith(".") for row in korean)
    assert all(row.when.endswith(".") and not re.search("[가-힣]", row.when) for row in ROWS)


@every_row
def test_a_row_works_from_python(row: Row) -> None:
    model = zoo.simple_convnet((8, 8, 1), pad=2)
    known = {**vars(layers), "model": model, "schedules": schedules}
    made = eval(row.python, {"__builtins__": {}}, known)
    if isinstance(made, layers.Layer):
        made.ensure_built((6,) if isinstance(made, layers.Dense) else (8, 8, 3), np.random.default_rng(0))
    if row.choice == "loss":
        assert all(type(losses.get(name)) is type(model.loss) for name in row.names)
    if row.choice == "optimizer":
        assert model.optimizer.config() == optimizers.get(row.names[0]).config()


@every_row
def test_a_row_works_from_the_command_line(
    row: Row, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pellucid.runs.run.draw", lambda *_: None)  # pictures are tested elsewhere
    status, _, err = command("train", *row.command, *QUICK, "--out", tmp_path / "run")
    assert status == 0, err
    model = pellucid.load(tmp_path / "run")
    training = json.loads((tmp_path / "run" / "run.json").read_text())["training"]
    first, name = model.layers[0], row.names[0] if row.names else ""
    match row.choice:
        case "optimizer":
            assert training["optimizer"] == optimizers.get(name).config()
        case "loss":
            assert type(model.loss) is type(losses.get(name)) and training["loss"] in row.names
        case "initializer":
            assert first.kernel_initializer == initializers.get(name)
        case "schedule":
            rate = training["optimizer"]["learning_rate"]
            assert (rate if isinstance(rate, float) else rate["type"].lower()) in (0.001, name.replace("_", ""))
        case "activation":
            kinds = {getattr(layer, "activation", type(layer).__name__) or "linear" for layer in model.layers}
            assert name in kinds
        case "penalty":
            assert (
                first.penalties()["kernel"].config()
                == layers.Dense(1, kernel_regularizer=name).penalties()["kernel"].config()
            )
        case "convolution":
            assert type(first).__name__ == name
        case "normalisation":
            assert name in {type(layer).__name__ for layer in model.layers}
        case "padding":
            assert first.padding == (name or ((2, 2), (2, 2)))
        case "pooling":
            size = model.layers[1].pool_size[0], model.layers[1].strides[0]
            expected = {"pool_size": (3, 3), "strides": (3, 2)}
            assert size == expected.get(name, (2, 2))
            if name in ("ceil_mode", "count_include_pad"):
                assert getattr(model.layers[1], name) is True
            elif name not in expected:
                assert type(model.layers[1]).__name__ in (name, POOLINGS.get(name, layers.Layer).__name__)
        case "filters" | "dense":
            found = (first.filters, first.kernel_size, first.strides, model.layers[3].units)
            default = {"filters": 30, "kernel_size": (5, 5), "strides": (1, 1), "units": 100}
            changed = {"filters": 16, "kernel_size": (3, 3), "strides": (2, 2), "units": 50}
            assert found == tuple((default | {name: changed[name]}).values())
        case _:
            pytest.fail(f"nothing is checked for {row.choice}")
