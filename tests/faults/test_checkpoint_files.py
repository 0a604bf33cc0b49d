"""Checkpoints from strangers, or from a bad disk: passed over and said, refused in one error, or gone on from."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_model import compiled, pictures, small

import pellucid
from pellucid.errors import CheckpointError, PellucidError
from pellucid.files import tensor_file

Cases = Callable[[int], None]


def trained(folder: Path | None, epochs: int) -> Any:
    model = compiled("adam", small())
    model.fit(*pictures(), epochs=epochs, batch_size=12, verbose=0, **({"resume": folder} if folder else {}))
    return model


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder with the checkpoint of a first epoch alone."""
    trained(tmp_path / "run", 1)
    (file,) = (tmp_path / "run").glob("epoch-001.safetensors")
    for other in (tmp_path / "run").glob("epoch-000*"):
        other.unlink()
    return file


def test_cut_or_changed_anywhere_it_is_passed_over(kept: Path, cases: Cases) -> None:
    """Every cut is noticed; a changed bit is noticed, or was in the padding."""
    whole = kept.read_bytes()
    rng = np.random.default_rng(2)
    honest, _ = tensor_file.read(kept)
    for length in rng.choice(len(whole), 100, replace=False).tolist():
        kept.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"epoch-001\.safetensors"):
            tensor_file.read(kept)
    for bit in rng.choice(len(whole) * 8, 200, replace=False).tolist():
        kept.write_bytes(whole[: bit // 8] + bytes([whole[bit // 8] ^ 1 << bit % 8]) + whole[bit // 8 + 1 :])
        try:
            tensors, _ = tensor_file.read(kept)
        except CheckpointError:
            continue
        assert all(np.array_equal(tensors[name], array, equal_nan=True) for name, array in honest.items())
    cases(300)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict) and value:
        return [found for key, child in value.items() for found in leaves(child, (*path, key))]
    return [path]


WRONG: tuple[object, ...] = (None, -1, 10**12, 1e308, "x", [], {}, [[1]])


def test_what_it_tells_of_the_training_may_be_anything(kept: Path, cases: Cases) -> None:
    """Every field with every kind of value: one error of ours, or training goes on. A billion epochs are not."""
    tensors, facts = tensor_file.read(kept)
    outcomes: Counter[str] = Counter()
    places = [place for place in leaves(facts["training"]) if place[0] != "settings"] + [()]
    for place in places:
        for value in WRONG:
            changed = json.loads(json.dumps(facts))
            inner, keys = changed, ("training", *place)
            for key in keys[:-1]:
                inner = inner[key]
            inner[keys[-1]] = value
            tensor_file.write(kept, tensors, changed)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    trained(kept.parent, 1)
                outcomes["read"] += 1
            except PellucidError as error:
                assert len(str(error)) < 2000
                outcomes["refused"] += 1
    assert outcomes["refused"] > 40, outcomes
    cases(len(places) * len(WRONG))


def test_a_checkpoint_without_an_array_or_with_another_is_refused(kept: Path, cases: Cases) -> None:
    """Or it is gone on from: the last gradients are for pictures only."""
    tensors, facts = tensor_file.read(kept)
    refused = 0
    for name in tensors:
        for changed in (None, np.zeros((2, 3, 5), np.float32)):
            others = {key: array for key, array in tensors.items() if key != name}
            tensor_file.write(kept, others if changed is None else {**others, name: changed}, facts)
            try:
                trained(kept.parent, 1)
            except CheckpointError as error:
                assert "epoch-001.safetensors: " in str(error)
                refused += 1
    assert refused > 1.5 * len(tensors)
    cases(2 * len(tensors))


def test_weights_that_are_no_numbers_are_said(kept: Path) -> None:
    tensors, facts = tensor_file.read(kept)
    tensors["hidden/bias"][0] = np.nan
    tensor_file.write(kept, tensors, facts)
    with pytest.warns(UserWarning, match="NaN or infinite weights in hidden/bias"):
        pellucid.load(kept)
    with pytest.raises(CheckpointError, match="hidden/bias"):
        pellucid.load(kept, strict=True)
