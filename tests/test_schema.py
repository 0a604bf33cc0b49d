"""Descriptions of records, and that what is written fits them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_model import small

import pellucid
from pellucid import Dense
from pellucid.errors import CheckpointError
from pellucid.files import tensor_file
from pellucid.files.schema import FLAG, TEXT, Maybe, Misfit, Values, check, either, number, whole
from pellucid.runs.folder import read_record
from pellucid.runs.record import RECORD, RESUMABLE
from pellucid.train.resume import FACTS, training_facts

SPEC = {
    "a": whole(1, 3),
    "b?": Maybe(TEXT),
    "c?": [number(0)],
    "d?": Values(either(FLAG, TEXT)),
    "e?": {"f": Maybe(TEXT)},
}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "the record: expected an object, got []"),
        ({}, "a: expected a whole number from 1 to 3, got None"),
        ({"a": True}, "a: expected a whole number from 1 to 3, got True"),
        ({"a": 4}, "a: expected a whole number from 1 to 3, got 4"),
        ({"a": 1.0}, "a: expected a whole number from 1 to 3, got 1.0"),
        ({"a": 1, "e": {}}, "e.f: expected an entry, null too, got None"),
        ({"a": 1, "b": 5}, "b: expected a text, got 5"),
        ({"a": 1, "c": 0}, "c: expected a list, got 0"),
        ({"a": 1, "c": [1, -1]}, "c[1]: expected a number of at least 0, got -1"),
        ({"a": 1, "c": [float("nan")]}, "c[0]: expected a number of at least 0, got nan"),
        ({"a": 1, "c": [10**400]}, "c[0]: expected a number of at least 0, got"),
        ({"a": 1, "d": {"x": 1}}, "d.x: expected true or false or a text, got 1"),
    ],
)
def test_the_first_wrong_field_is_named(value: object, message: str) -> None:
    with pytest.raises(Misfit) as caught:
        check(SPEC, value)
    assert str(caught.value).startswith(message)


def test_what_fits() -> None:
    for value in ({"a": 1}, {"a": 3, "b": None, "other": 1}, {"a": 2, "c": [0, 1.5], "d": {"x": True, "y": "z"}}):
        check(SPEC, value)


def test_what_a_training_writes_fits_its_descriptions(run_folder: Path) -> None:
    record = read_record(run_folder, RESUMABLE)

    def described(spec: object, value: object, field: str) -> None:
        if isinstance(spec, dict) and isinstance(value, dict):
            known = {key.removesuffix("?"): inner for key, inner in spec.items()}
            assert value.keys() <= known.keys(), (field, value.keys() - known.keys())
            for key, inner in value.items():
                described(known[key], inner, f"{field}.{key}")

    described({**RECORD, "training?": object()}, record, "run.json")
    (kept, *_) = sorted((run_folder / "checkpoints").glob("*.safetensors"))
    from pellucid.train.checkpoints import Saved

    saved = Saved(kept, *tensor_file.read(kept))
    assert training_facts(saved).keys() == FACTS.keys()


WRONG_FACTS = {
    "class names: fewer": {"class_names": ["a", "b"]},
    "class names: more": {"class_names": ["a", "b", "c", "d"]},
    "class names: one twice": {"class_names": ["a", "b", "a"]},
    "class names: no text": {"class_names": ["a", "b", 3]},
    "class names: a text": {"class_names": "abc"},
    "mean: a number": {"preprocessing": {"mean": 0.5}},
    "mean: too many": {"preprocessing": {"mean": [0.1, 0.2, 0.3, 0.4]}},
    "mean: too large": {"preprocessing": {"mean": [1e300]}},
    "std: zero": {"preprocessing": {"std": [0.0]}},
    "std: tiny": {"preprocessing": {"std": [1e-300]}},
    "std: negative": {"preprocessing": {"std": [-1]}},
    "scale: true": {"preprocessing": {"scale": True}},
    "size: three": {"preprocessing": {"size": [1, 2, 3]}},
    "size: a text": {"preprocessing": {"size": "12"}},
    "channels: a list": {"preprocessing": {"channels": [3]}},
    "resize": {"preprocessing": {"resize": 1}},
    "seed: negative": {"seed": -1},
    "seed: a text": {"seed": "1"},
    "name": {"name": None},
    "input shape": {"input_shape": [6, 5, -2]},
    "layers": {"layers": {}},
    "trained on": {"trained_on": []},
    "trained on a number": {"trained_on": {"data": 5}},
    "range of three": {"trained_on": {"range": [0, 1, 2]}},
    "range of texts": {"trained_on": {"range": ["a", "b"]}},
    "background": {"trained_on": {"background": "dark"}},
    "compiled": {"compiled": []},
    "optimizer": {"compiled": {"optimizer": "sgd", "loss": None}},
    "exact": {"exact_convolution": "yes"},
}


def test_a_models_facts_are_checked_when_it_is_read(tmp_path: Path) -> None:
    model = small()
    model.compile("adam", "categorical_crossentropy")
    model.save(tmp_path / "m.safetensors")
    tensors, facts = tensor_file.read(tmp_path / "m.safetensors")
    pellucid.load(tmp_path / "m.safetensors")
    for change in WRONG_FACTS.values():
        tensor_file.write(tmp_path / "w.safetensors", tensors, {**facts, **change})
        with pytest.raises(CheckpointError, match=r"w\.safetensors: the description of the model cannot be followed"):
            pellucid.load(tmp_path / "w.safetensors")


def test_a_negative_variance_is_refused(tmp_path: Path) -> None:
    from pellucid import BatchNorm, Input, Sequential

    Sequential([Input((4, 4, 2)), BatchNorm(name="norm")]).save(tmp_path / "m.safetensors")
    tensors, facts = tensor_file.read(tmp_path / "m.safetensors")
    tensors["norm/variance"][1] = -0.5
    tensor_file.write(tmp_path / "m.safetensors", tensors, facts)
    with pytest.raises(CheckpointError, match="norm/variance holds negative numbers"):
        pellucid.load(tmp_path / "m.safetensors")
    assert np.isfinite(tensors["norm/variance"]).all()


def test_fields_of_a_run_that_goes_on(run_folder: Path, tmp_path: Path) -> None:
    record = json.loads((run_folder / "run.json").read_text())
    for part, field, value in [
        *(("loading", "limit", value) for value in ("x", float("nan"), [], {}, -1, True, 0)),
        *(("loading", "size", value) for value in ("x", [1], [0, 1], 2**40)),
        *(("loading", field, 5) for field in ("data", "resize", "validation")),
        *(("training", field, "x") for field in ("epochs", "batch_size", "seed", "doctor")),
    ]:
        changed = json.loads(json.dumps(record))
        (changed["data"]["loading"] if part == "loading" else changed["training"])[field] = value
        (tmp_path / "run.json").write_text(json.dumps(changed))
        with pytest.raises(CheckpointError, match=r"run\.json: .*(changed or damaged)"):
            read_record(tmp_path, RESUMABLE)
    del record["data"]["loading"]["limit"]
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match=r"data\.loading|limit"):
        read_record(tmp_path, {"data": {"loading": {"limit": whole()}}})


def test_class_names_that_fit_no_output_cost_no_work(tmp_path: Path) -> None:
    model = small()
    model.class_names = ("a", "b", "c")
    model.add(Dense(2))
    with pytest.warns(UserWarning, match="3 class names do not fit 2 outputs"):
        model.save(tmp_path / "m.safetensors")
    assert pellucid.load(tmp_path / "m.safetensors").class_names is None


def test_a_model_file_larger_than_the_memory_is_refused_at_once(tmp_path: Path) -> None:
    size = 2**45
    table = {"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    inner = json.dumps({"format_version": 1, "kind": "model"})
    header = json.dumps({"__metadata__": {"pellucid": inner, "sha256": ""}, **table}).encode()
    with open(tmp_path / "m.safetensors", "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        try:
            file.truncate(8 + len(header) + size)  # takes no room on the disk
        except OSError:
            pytest.skip("no such file here")
    with pytest.raises(CheckpointError, match="takes 35184372088832 bytes of memory"):
        tensor_file.read(tmp_path / "m.safetensors")


@pytest.mark.parametrize("end", ["[]", "5", '{"event": "end", "reason": [1]}', '{"event": "end", "best_epoch": {}}'])
def test_an_end_that_is_none_is_passed_over(end: str, tmp_path: Path) -> None:
    from pellucid.cli.report import _last_event
    from pellucid.files.inside import Inside

    (tmp_path / "log.jsonl").write_text(f"{end}\n")
    assert _last_event(Inside(tmp_path) / "log.jsonl") == {}
