"""Models from strangers: whole files whose description or weights are wrong, and every way of damaging one."""

from __future__ import annotations

import json
import socket
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from containers import craft, with_header
from limits import needs_limits, read_within
from small_model import small

import pellucid
from pellucid import layers as L
from pellucid.errors import CheckpointError
from pellucid.files import tensor_file


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    tensors, facts = tensor_file.read(path)
    change(tensors, facts)
    tensor_file.write(path, tensors, facts)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "m.safetensors"
    small().save(path)
    return path


def test_all_wrong_tensors_stand_in_one_error(saved: Path) -> None:
    def change(tensors: dict[str, Any], facts: dict[str, Any]) -> None:
        tensors["hidden/kernel"] = tensors["hidden/kernel"].T.copy()
        del tensors["out/bias"]
        tensors["extra/kernel"] = np.zeros(2, np.float32)

    rewrite(saved, change)
    with pytest.raises(CheckpointError) as caught:
        pellucid.load(saved)
    message = str(caught.value)
    for part in (
        "hidden/kernel: (7, 16), expected (16, 7)",
        "out/bias: missing, expected (3,)",
        "extra/kernel: (2,), expected nothing",
        str(saved),
    ):
        assert part in message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("kind", "history", "holds no Pellucid model"),
        ("layers", [{"type": "Convv2D"}], "unknown layer 'Convv2D'"),
        ("layers", [{"type": "Dense", "units": 3, "wings": 2}], "wings"),
        ("layers", ["Dense"], "cannot be followed"),
        ("layers", 5, "cannot be followed"),
        ("layers", [{"type": "Flatten"}, {"type": "Dense", "units": 2**22}], "the file is far too short"),
        ("layers", [{"type": "RBF", "units": 3}], "put Flatten"),
        ("layers", [{"type": "Conv2D", "filters": 1, "kernel_size": 9}], "needs at least 9x9"),
        ("input_shape", [6, -5, 2], "cannot be followed"),
        ("input_shape", None, "cannot be followed"),
        ("preprocessing", {"scale": "big"}, "cannot be followed"),
        ("compiled", {"optimizer": {"type": "os.system"}, "loss": {}}, "cannot be followed"),
        ("trained_on", 3, "cannot be followed"),
        ("seed", -4, "seed must be"),
        ("seed", 2**4000, "seed must be"),
        ("seed", [], "cannot be followed"),
        ("layers", [{"type": "ReLU"}] * 1001, "has 1001 layers, at most 1000"),
        ("layers", [{"type": "BatchNorm"}, {"type": "BatchNorm", "name": "batch_norm"}], "batch_norm"),
        ("input_shape", [1, 1, 2**62], "cannot be followed|do not fit"),
        ("preprocessing", {"size": [2**20, 2**20]}, r"at most, got \(1048576, 1048576\)"),
        ("preprocessing", {"resize": "../../x"}, "unknown resize rule"),
    ],
)
def test_a_wrong_description_is_refused(saved: Path, key: str, value: object, message: str) -> None:
    rewrite(saved, lambda tensors, facts: facts.update({key: value}))
    with pytest.raises(CheckpointError, match=message) as caught:
        pellucid.load(saved)
    assert str(saved) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\x80\x04\x95 a pickle" * 9, b"\x00" * 64])
def test_what_is_no_model_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"m\.safetensors"):
        pellucid.load(path)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where texts stand in a description."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [found for key, child in pairs for found in leaves(child, (*path, key))]
    return [path] if isinstance(value, str) else []


def test_nothing_that_a_file_names_is_imported_run_or_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cases: Callable[[int], None]
) -> None:
    """A path, an address or code in the place of every text of a description, one after the other."""

    def no_network(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was touched")

    canary = tmp_path / "canary"
    witness = tmp_path / "witness.py"
    witness.write_text(f"open({str(canary)!r}, 'w')\nclass Layer: pass\nLAYERS = Dense = relu = adam = Layer\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(socket, "socket", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    planted = (
        "witness.Layer",
        "witness:Layer",
        str(witness),
        witness.as_uri(),
        "http://127.0.0.1:9/layer.py",
        f"__import__('os').system('touch {canary}')",
        f"lambda x: open({str(canary)!r}, 'w')",
        f"!!python/object/apply:os.system ['touch {canary}']",
        "cos\nsystem\n(S'true'\ntR.",
        "builtins.eval",
        "__class__",
        "../../../../etc/passwd",
    )
    path = tmp_path / "m.safetensors"
    model = small()
    model.add(L.Dense(3, "relu", kernel_initializer="he_normal", kernel_regularizer=L.L2(0.1), name="last"))
    model.compile("adam", "categorical_crossentropy")
    model.class_names = ("a", "b", "c")
    model.save(path)
    tensors, facts = tensor_file.read(path)
    before = set(sys.modules)
    places = leaves(facts)
    assert len(places) > 20
    loaded = set()
    for place in places:
        for text in planted:
            changed = json.loads(json.dumps(facts))
            inner = changed
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = text
            tensor_file.write(path, tensors, changed)
            try:
                pellucid.load(path)
            except CheckpointError:
                continue
            loaded.add(place[-2] if isinstance(place[-1], int) else place[-1])
    assert loaded == {"name", "class_names"}, "free text, and nothing else"
    assert not canary.exists()
    assert not {name for name in set(sys.modules) - before if not name.startswith("pellucid")}
    cases(len(places) * len(planted))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_loaded_with_a_warning(saved: Path, value: float) -> None:
    def change(tensors: dict[str, Any], facts: dict[str, Any]) -> None:
        tensors["out/bias"][1] = value
        tensors["hidden/kernel"][0, 3] = value

    rewrite(saved, change)
    with pytest.warns(UserWarning, match=r"m\.safetensors: NaN or infinite weights in hidden/kernel, out/bias"):
        model = pellucid.load(saved)
    np.testing.assert_array_equal(np.isfinite(model.get_layer("out").weights[1]), [True, False, True])
    with pytest.raises(CheckpointError, match=r"NaN or infinite weights in hidden/kernel, out/bias.*without strict"):
        pellucid.load(saved, strict=True)


def test_whole_weights_are_loaded_strictly(saved: Path) -> None:
    np.testing.assert_array_equal(pellucid.load(saved, strict=True).weights[0], small().weights[0])


def test_many_wrong_tensors_are_counted(saved: Path) -> None:
    extra = {f"extra-{number}/kernel": np.zeros(1, np.float32) for number in range(3000)}
    rewrite(saved, lambda tensors, facts: tensors.update(extra))
    with pytest.raises(CheckpointError, match=r"extra-0/kernel: \(1,\), expected nothing.*and 2900 more") as caught:
        pellucid.load(saved)
    assert len(str(caught.value)) < 6000


def test_truncation_at_every_byte_is_refused(saved: Path, cases: Callable[[int], None]) -> None:
    raw = saved.read_bytes()
    for length in range(len(raw)):
        saved.write_bytes(raw[:length])
        with pytest.raises(CheckpointError, match=r"m\.safetensors"):
            pellucid.load(saved)
    cases(len(raw))


def test_a_flipped_bit_in_2000_places_is_refused_or_harmless(saved: Path, cases: Callable[[int], None]) -> None:
    """Refused by the checksum, or by what stands before it; or it was padding, and the same model is loaded."""
    raw = bytearray(saved.read_bytes())
    honest = pellucid.load(saved)
    said: Counter[str] = Counter()
    for bit in np.random.default_rng(6).choice(len(raw) * 8, 2000, replace=False).tolist():
        raw[bit // 8] ^= 1 << bit % 8
        saved.write_bytes(raw)
        raw[bit // 8] ^= 1 << bit % 8
        try:
            model = pellucid.load(saved)
        except CheckpointError as error:
            said["checksum" if "changed or damaged after it was written" in str(error) else "refused"] += 1
            continue
        said["loaded"] += 1
        assert [layer.config() for layer in model.layers] == [layer.config() for layer in honest.layers]
        assert [w.tobytes() for w in model.weights] == [w.tobytes() for w in honest.weights]
    assert said["checksum"] > 800 and said["refused"] > 300 and said["loaded"] < 100, said
    cases(2000)


def test_a_format_of_yesterday_is_read(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_file, "FORMAT_VERSION", 1)
    model = small()
    model.save(saved)
    monkeypatch.undo()
    for mine, theirs in zip(pellucid.load(saved).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_format_of_tomorrow_says_what_it_needs(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_file, "FORMAT_VERSION", 9)
    small().save(saved)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"format version 9, this Pellucid reads up to 2; install a newer"):
        pellucid.load(saved)


@needs_limits
def test_a_description_takes_no_more_memory_than_its_file_can_fill(
    saved: Path, tmp_path: Path, cases: Callable[[int], None]
) -> None:
    """What layers would take is known before it is taken: the process may grow by 200 MB."""
    tensors, facts = tensor_file.read(saved)
    dense = {"type": "Dense", "units": 500}
    wide = {"type": "Conv2D", "filters": 2**20, "kernel_size": 5}
    pool = {"type": "Subsampling2D", "pool_size": 2**12}
    changes: dict[str, dict[str, Any]] = {
        "dense": {"layers": [{"type": "Flatten"}, {"type": "Dense", "units": 2**40}]},
        "many small": {"layers": [{"type": "Flatten"}, *[dense] * 900]},
        "norm": {"input_shape": [1, 1, 2**33], "layers": [{"type": "BatchNorm"}]},
        "flat norm": {"input_shape": [2**16, 2**17, 1], "layers": [{"type": "Flatten"}, {"type": "BatchNorm"}]},
        "padded": {"layers": [{"type": "ZeroPadding2D", "padding": 2**30}, {"type": "Flatten"}, dense]},
        "wide": {"layers": [wide]},
        "table": {"layers": [{"type": "TableConv2D", "table": [[0, 1]] * 50_000, "kernel_size": 5}]},
        "pool": {"input_shape": [2**12, 2**12, 2**14], "layers": [pool]},
        "radial": {"layers": [{"type": "Flatten"}, {"type": "RBF", "units": 2**30}]},
        "scaling": {"preprocessing": {"size": [2**18, 2**18]}},
    }
    for name, change in changes.items():
        tensor_file.write(tmp_path / name, tensors, {**facts, **change})
    half = 240_000 * '{"type":"ReLU"},'
    text = json.dumps({"format_version": 1, **facts})
    inner = text[: text.index('"layers"')] + f'"layers": [{half}{{"type":"ReLU"}}]' + text[text.index(', "preproc') :]
    nest = "[" * 100_000 + "]" * 100_000
    deep = text[: text.index('"layers"')] + f'"layers": {nest}' + text[text.index(', "preproc') :]
    for name, description in (("half a million", inner), ("deep", deep)):
        craft(tmp_path / name, {}, inner=description)
    million = with_header(json.dumps({"a": '{"type":"ReLU"},' * 1_000_000}).encode())
    (tmp_path / "million").write_bytes(million)
    names = [*changes, "half a million", "deep", "million"]
    paths = [tmp_path / name for name in names]
    told = read_within(200, "from pellucid.model.file import load", "load", paths, warm=saved)
    assert all(text.startswith("CheckpointError") for text in told), "\n".join(told)
    assert "at most 1000 are read" in told[-3] and "nested too deeply" in told[-2] and "at most 10000000" in told[-1]
    cases(len(names))
