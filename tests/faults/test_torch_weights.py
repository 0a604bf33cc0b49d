"""Files of PyTorch's that are damaged, lie about themselves, or mean harm; and files that are none."""

from __future__ import annotations

import io
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch_networks as networks
from torch_files import small

from pellucid import layers as L
from pellucid.convert import import_weights, open_weights
from pellucid.errors import CheckpointError
from pellucid.model import Sequential
from pellucid.zoo import import_model

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


class Planted:
    def __init__(self, call: Any, *arguments: object) -> None:
        self.call = (call, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("where", ["value", "key", "beside"])
def test_a_planted_call_never_runs(legacy: bool, where: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    trap = Planted(os.system, f"touch {canary}")
    state: dict[Any, Any] = dict(small("vgg11")[0].state_dict())
    content = {"state_dict": state, "trap": trap} if where == "beside" else state
    if where == "value":
        state["features.0.weight"] = trap
    elif where == "key":
        state[Planted(os.system, f"touch {canary}")] = torch.zeros(1)
    torch.save(content, tmp_path / "evil.pth", _use_new_zipfile_serialization=not legacy)
    _, model = small("vgg11")
    with pytest.raises(CheckpointError, match=r"evil\.pth: refused: the name (posix|nt)\.system.*state_dict\(\)"):
        import_weights(model, tmp_path / "evil.pth")
    assert not canary.exists()


def test_whole_modules_and_other_archives_say_what_to_do(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 3), tmp_path / "module.pth")
    with pytest.raises(CheckpointError, match=r"refused: the name torch\.nn\.modules.*torch\.save\(model\.state_dict"):
        open_weights(tmp_path / "module.pth")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", "")
    for file, text in (
        ("other.zip", "without a PyTorch state dict"),
        ("model.keras", "has no metadata.json; save it with model.save"),
    ):
        with pytest.raises(CheckpointError, match=text):
            open_weights(tmp_path / file)


def zip_with(path: Path, state: bytes, members: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("a/data.pkl", state)
        for name, data in members.items():
            archive.writestr(f"a/data/{name}", data)
    return path


def described(shape: object, strides: object, offset: int = 0, count: int = 6, kind: str = "FloatStorage") -> bytes:
    """A state dict's pickle with one tensor, described at will."""

    class Global:
        def __init__(self, name: str) -> None:
            self.name = name

    class Pickler(pickle._Pickler):  # the one in Python can be told to write a name without having it
        def persistent_id(self, obj: Any) -> Any:
            return None

        def save(self, obj: Any, save_persistent_id: bool = True) -> None:
            if isinstance(obj, Global):
                self.write(b"c" + obj.name.replace(" ", "\n").encode() + b"\n")
            elif isinstance(obj, tuple) and obj and obj[0] == "PERSISTENT":
                self.save(obj[1])
                self.write(b"Q")
            elif isinstance(obj, tuple) and obj and obj[0] == "CALL":
                self.save(obj[1])
                self.save(obj[2])
                self.write(b"R")
            else:
                super().save(obj, save_persistent_id)

    out = io.BytesIO()
    storage = ("PERSISTENT", ("storage", Global(f"torch {kind}"), "0", "cpu", count))
    tensor = ("CALL", Global("torch._utils _rebuild_tensor_v2"), (storage, offset, shape, strides, False, None))
    Pickler(out, 2).dump({"features.0.weight": tensor})
    return out.getvalue()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shape": (2, 4), "strides": (4, 1)}, "reaches beyond its storage of 6 numbers"),
        ({"shape": (2, 3), "strides": (3, 1), "offset": 1}, "reaches beyond its storage"),
        ({"shape": (2, 3), "strides": (-3, 1), "offset": 3}, "strides"),
        ({"shape": (2, -3), "strides": (3, 1)}, "shape"),
        ({"shape": (2, 3), "strides": (3,)}, "strides"),
        ({"shape": (2, 3.0), "strides": (3, 1)}, "shape"),
        ({"shape": (True, 3), "strides": (3, 1)}, "shape"),
        ({"shape": (1,) * 9, "strides": (1,) * 9}, "shape"),
        ({"shape": (2**60,), "strides": (0,)}, "shape"),
        ({"shape": (2,), "strides": (2**30,), "count": 2**31}, "spread over"),
        ({"shape": (2**40,), "strides": (0,), "count": 1}, "made of the 1 numbers of its storage"),
        ({"shape": (2**20, 2**20), "strides": (0, 1), "count": 2**21}, "made of the 2097152 numbers"),
        ({"shape": (2, 3), "strides": (3, 1), "count": 7}, "has 24 bytes, expected 28"),
        ({"shape": (2, 3), "strides": (3, 1), "kind": "DoubleStorage"}, "has 24 bytes, expected 48"),
        ({"shape": (2, 3), "strides": (3, 1), "kind": "QInt8Storage"}, r"the name torch\.QInt8Storage"),
    ],
)
def test_tensors_that_lie_about_their_storage(fields: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = zip_with(tmp_path / "w.pth", described(**fields), {"0": bytes(24)})
    with pytest.raises(CheckpointError, match=rf"w\.pth: .*{message}"):
        open_weights(path)


def test_honest_descriptions_are_read(tmp_path: Path) -> None:
    values = np.arange(6, dtype="<f4")
    for shape, strides, offset, expected in (
        ((2, 3), (3, 1), 0, values.reshape(2, 3)),
        ((3, 2), (1, 3), 0, values.reshape(2, 3).T),
        ((2, 2), (3, 1), 1, values[[[1, 2], [4, 5]]]),
        ((), (), 5, values[5]),
        ((3, 2), (0, 1), 2, np.tile(values[2:4], (3, 1))),
        ((0, 4), (4, 1), 0, np.zeros((0, 4))),
    ):
        for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            path = zip_with(tmp_path / "w.pth", described(shape, strides, offset), {"0": values.tobytes()}, packing)
            with open_weights(path) as source:
                np.testing.assert_array_equal(source.read("features.0.weight"), expected)


def test_a_storage_that_unfolds_is_not_unfolded(tmp_path: Path) -> None:
    """16 GB of zeros in 16 MB would be read only as far as the model needs; here the shape is refused before."""
    path = zip_with(tmp_path / "w.pth", described((2, 3), (3, 1)), {"1": bytes(24)})
    with pytest.raises(CheckpointError, match="storage '0' is missing, expected 24 bytes"):
        open_weights(path)
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("a/data.pkl", described((2, 3), (3, 1)))
        archive.writestr("a/data/0", bytes(24), zipfile.ZIP_LZMA)
    with pytest.raises(CheckpointError, match="packed in a way PyTorch does not use"):
        open_weights(path)
    with zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_LZMA) as archive:  # unpacked without a limit
        archive.writestr("a/data.pkl", described((2, 3), (3, 1)))
    with pytest.raises(CheckpointError, match=r"'a/data\.pkl' is encrypted or packed in an unusual way"):
        open_weights(tmp_path / "w.pth")
    big = b"\x80\x02}" + b"X\x04\x00\x00\x00aaaa0" * 2_000_000 + b"."
    path = zip_with(tmp_path / "w.pth", big, {}, zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match=r"'a/data\.pkl' takes \d+ bytes, at most 16777216 are expected"):
        open_weights(path)


def test_zeros_packed_tight_are_refused_before_a_model_is_made_for_them(tmp_path: Path) -> None:
    """64 MB of zeros pack to 64 KB; the network would be built for as many classes as the tensor has rows."""
    count = 16 << 20
    path = zip_with(tmp_path / "w.pth", described((count // 2, 2), (2, 1), count=count), {"0": bytes(4 * count)}, 8)
    assert path.stat().st_size < 100_000
    for ask in (lambda: open_weights(path), lambda: import_model(path, "vgg16")):
        with pytest.raises(CheckpointError, match=r"w\.pth: unpacks to 67108864 bytes, far more than weights do"):
            ask()
    path = zip_with(tmp_path / "w.pth", described((70_000, 1), (1, 1), count=70_000), {"0": bytes(280_000)})
    with pytest.raises(CheckpointError, match="tells 70000 classes apart, at most 65536"):
        import_model(path, "vgg16")


OBJECT = b"c__torch__\nNet\n)\x81"


def inside(name: bytes, value: bytes) -> bytes:
    """An object of a TorchScript program with one attribute."""
    return OBJECT + b"}X" + struct.pack("<I", len(name)) + name + value + b"sb"


def shared(depth: int) -> bytes:
    """An object with the one below it under two names, and so on: 2^depth paths lead to the last."""
    made = OBJECT + b"q\x00"
    for _ in range(depth):
        made += b"0" + OBJECT + b"}(X\x01\x00\x00\x00ah\x00X\x01\x00\x00\x00bh\x00ubq\x00"
    return made


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (inside(b"a", b"cos\nsystem\nX\x04\x00\x00\x00exit\x85R"), r"the name os\.system"),
        (inside(b"a", b"ctorch.nn\nLinear\n)\x81"), r"the name torch\.nn\.Linear"),
        (inside(b"a", b"c__torch__x\nNet\n)\x81"), r"the name __torch__x\.Net"),
        (b"c__torch__\nNet\nK\x01\x85\x81", "an object of a class that is not known"),
        (b"c__torch__\nNet\n)R", "a call of class"),
        (b"ccollections\nOrderedDict\n)\x81", "an object of a class that is not known"),
        (OBJECT + b"K\x01b", "whose state is no dict"),
        (OBJECT + b"}K\x01K\x02sb", "whose state is no dict of attributes"),
        (OBJECT + b"q\x00}X\x01\x00\x00\x00ah\x00sb", "in another without end"),
        (shared(60), "more than 20000 modules"),
        (inside(b"a" * 2000, OBJECT), "in another without end"),
        (OBJECT, "holds no state dict"),
    ],
)
def test_programs_of_torchscript_that_mean_harm(program: bytes, message: str, tmp_path: Path) -> None:
    path = zip_with(tmp_path / "w.pt", b"\x80\x02" + program + b".", {})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/constants.pkl", b"\x80\x02).")
        archive.writestr("a/code/__torch__.py", "raise SystemExit")
    with pytest.raises(CheckpointError, match=rf"w\.pt: .*{message}"):
        open_weights(path)
    if b"__torch__\nNet" in program:  # objects are read of programs alone
        with pytest.raises(CheckpointError, match=r"w\.pth: refused: the name __torch__\.Net"):
            open_weights(zip_with(tmp_path / "w.pth", b"\x80\x02" + program + b".", {}))


@pytest.mark.parametrize(("shape", "message"), [((10**18,), "a tensor's shape"), ((7,), "beyond its storage")])
def test_tensors_of_torchscript_are_checked_like_all_others(shape: Any, message: str, tmp_path: Path) -> None:
    state = described(shape, (1,) * len(shape))
    path = zip_with(tmp_path / "w.pt", b"\x80\x02" + OBJECT + state[2:-1] + b"b.", {"0": bytes(24)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/constants.pkl", b"\x80\x02).")
    with pytest.raises(CheckpointError, match=rf"w\.pt: .*{message}"):
        open_weights(path)


def test_members_are_never_written_anywhere(tmp_path: Path) -> None:
    """Names that lead out of a folder are keys here, and nothing else."""
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    with zipfile.ZipFile(inner / "w.pth", "w") as archive:
        archive.writestr("a/data.pkl", described((2, 3), (3, 1)))
        archive.writestr("a/data/0", bytes(24))
        for name in ("../../up", "/tmp/pellucid-canary", "a/data/../../../up", "C:/up", "a/data/link"):
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16  # a symbolic link, where archives are unpacked
            archive.writestr(info, "/etc/passwd")
    with open_weights(inner / "w.pth") as source:
        np.testing.assert_array_equal(source.read("features.0.weight"), np.zeros((2, 3)))
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == ["a", "a/b", "a/b/w.pth"]
    assert not Path("/tmp/pellucid-canary").exists()


def test_a_table_of_contents_that_would_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(b"PK\x03\x04" + bytes(100) + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 2**30, 0, 0))
    with pytest.raises(CheckpointError, match=r"table of contents takes 1073741824 bytes"):
        open_weights(path)


def test_every_cut_and_flip_is_an_error_or_numbers(tmp_path: Path, cases: Callable[[int], None]) -> None:
    module = networks.scramble(torch.nn.Sequential(torch.nn.Conv2d(1, 2, 2), torch.nn.Flatten(), torch.nn.Linear(2, 2)))
    for legacy in (False, True):
        whole = tmp_path / "whole.pth"
        torch.save(module.state_dict(), whole, _use_new_zipfile_serialization=not legacy)
        data = whole.read_bytes()
        broken = tmp_path / "broken.pth"
        places = np.random.default_rng(1).integers(0, len(data), 150).tolist()
        for place in places:
            flipped = bytearray(data)
            flipped[place] ^= 0x55
            for content in (data[:place], bytes(flipped)):
                broken.write_bytes(content)
                model = Sequential([L.Input((2, 2, 1)), L.Conv2D(2, 2), L.Flatten(), L.Dense(2)])
                try:
                    import_weights(model, broken)
                except CheckpointError as error:
                    assert re.match(rf"{re.escape(str(broken))}[: ]", str(error))
    cases(600)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no file of weights that is known here; expected .pth"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x1f\x8b\x08\x00" + bytes(40), "gzip"),
        (b"\x89HDF", "no file of weights"),
        (b"\x80\x04]\x94.", "holds a list; expected a dict of arrays"),
        (struct.pack("<Q", 10**9) + b'{"a": 1}', "no whole safetensors file"),
    ],
)
def test_files_that_are_no_weights(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "f.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"f\.pth: .*{message}"):
        open_weights(tmp_path / "f.pth")
    with pytest.raises(CheckpointError, match="no such file"):
        open_weights(tmp_path / "g.pth")
    with pytest.raises(CheckpointError, match="is no file"):
        open_weights(tmp_path)


def test_a_model_of_our_own_needs_no_import(tmp_path: Path) -> None:
    Sequential([L.Input((2,)), L.Dense(1)]).save(tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match="is a Pellucid model file already"):
        open_weights(tmp_path / "m.safetensors")
