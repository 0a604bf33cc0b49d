"""HDF5 files from strangers: links, data sets elsewhere, shapes that unfold; read by a process under limits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_layouts import KERNEL, small, write

from pellucid.convert import import_weights, keras_file, open_weights
from pellucid.errors import CheckpointError
from pellucid.zoo import import_model

h5py = pytest.importorskip("h5py", reason="h5py is not installed")


def replaced(make: Callable[[Any, str], None]) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[KERNEL]
        make(file, KERNEL)

    return change


def virtual(file: Any, name: str) -> None:
    layout = h5py.VirtualLayout((3, 3, 3, 2), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3, 3, 3, 2))
    file.create_virtual_dataset(name, layout)


def external(file: Any, name: str) -> None:
    file.create_dataset(name, (3, 3, 3, 2), "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def link(target: Any) -> Callable[[Any, str], None]:
    def make(file: Any, name: str) -> None:
        file[name] = target

    return make


def chunked(file: Any, name: str) -> None:
    file.create_dataset(name, (3, 3, 3, 2**28), "f4", chunks=(3, 3, 3, 2**24), compression="gzip")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced(link(h5py.SoftLink("/fc1/fc1_W_1:0"))), r"/block1_conv1/block1_conv1_W_1:0: is a link"),
        (replaced(link(h5py.ExternalLink("/etc/other.h5", "/x"))), r"block1_conv1_W_1:0: is a link"),
        (replaced(virtual), r"block1_conv1_W_1:0: its numbers lie in other files"),
        (replaced(external), r"block1_conv1_W_1:0: its numbers lie in other files"),
        (replaced(lambda file, name: file.create_dataset(name, (2**40,), "f4")), "holds no numbers"),
        (replaced(lambda file, name: file.create_dataset(name, (3,), "f4", chunks=(3,))), "holds no numbers"),
        (replaced(chunked), "stored in chunks"),
        (replaced(lambda file, name: file.create_group(name)), "expected a data set, got a Group"),
        (replaced(lambda file, name: None), r"block1_conv1_W_1:0: is missing"),
        (replaced(lambda file, name: file.create_dataset(name, data=[b"text"])), "holds .*expected numbers"),
        (replaced(lambda file, name: file.create_dataset(name, dtype="f4")), "no axes"),
        (
            replaced(lambda file, name: file.create_dataset(name, data=np.zeros((9, 9), "i4"), scaleoffset=0)),
            "packed by filter 6",
        ),
        (lambda file: file.attrs.__setitem__("layer_names", 5), "layer_names'?: expected a list of names"),
        (lambda file: file.attrs.__setitem__("layer_names", [b"../x"]), "is missing"),
        (lambda file: file.attrs.__setitem__("model_config", 5), "model_config'?: expected a text"),
        (lambda file: file.attrs.__setitem__("model_config", ["a", "b"]), "model_config'?: expected a text"),
        (lambda file: file["fc1"].attrs.__setitem__("weight_names", [b"a"] * 99), "/fc1: has 99 weights"),
        (lambda file: file.attrs.__delitem__("layer_names"), "holds no weights of a Keras model"),
    ],
)
def test_what_a_file_of_weights_has_no_need_of_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "w.h5", change)
    with pytest.raises(CheckpointError, match=rf"w\.h5.*{message}"):
        import_weights(small(), path)


def test_damaged_files_are_errors(tmp_path: Path) -> None:
    data = write(tmp_path / "w.h5").read_bytes()
    broken = tmp_path / "broken.h5"
    for place in (9, 200, len(data) // 2, len(data) - 8):
        broken.write_bytes(data[:place])
        with pytest.raises(CheckpointError, match=r"broken\.h5: is no whole HDF5 file"):
            open_weights(broken)


def test_the_limits_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that hangs is ended; one that dies is noticed; nothing it says is trusted."""
    path = write(tmp_path / "w.h5")
    reader = tmp_path / "reader.py"
    monkeypatch.setattr(keras_file, "_READER", reader)
    monkeypatch.setattr(keras_file, "ANSWER_S", 1.0)
    for program, message in (
        ("import time; time.sleep(60)", "limits of memory and time"),
        ("raise SystemExit(3)", "limits of memory and time"),
        ("print('[]', flush=True)", r"\[\]"),
        ("""print('{"layers": [{"arrays": 1}]}', flush=True)""", "index that makes no sense"),
    ):
        reader.write_text(program)
        with pytest.raises(CheckpointError, match=rf"w\.h5: .*{message}"):
            open_weights(path)
    index = (
        '{"style": "legacy", "layers": [{"name": "l", "arrays": [{"path": "a", "shape": [2], "dtype": "float32"}]}]}'
    )
    for answer, message in (
        ('{"bytes": 800}', "expected 8 bytes, its reader has 800"),
        ('{"bytes": 8}', "ended after 0 of 8 bytes"),
        ('{"error": "no more"}', "no more"),
    ):
        reader.write_text(f"print({index!r}, flush=True)\ninput()\nprint({answer!r}, flush=True)")
        with open_weights(path) as source, pytest.raises(CheckpointError, match=message):
            source.read("a")


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of memory are Linux's")
def test_a_reader_that_wants_too_much_memory_is_refused(tmp_path: Path) -> None:
    from pellucid.convert import hdf5_reader

    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hdf5_reader as r; r.set_limits()\n"
        "try:\n    bytearray(3 << 30)\nexcept MemoryError:\n    print('refused')\n"
        "try:\n    open(sys.argv[2], 'w').write('x' * 9999)\nexcept OSError:\n    print('unwritten')\n"
    )
    folder = str(Path(hdf5_reader.__file__).parent)
    import signal

    done = subprocess.run(
        [sys.executable, "-P", "-c", code, folder, str(tmp_path / "x")],
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN) and None,
    )
    assert done.stdout.split() == ["refused", "unwritten"]


def unfolding(file: Any, name: str) -> None:
    """One chunk of zeros, which is all that a terabyte of them takes."""
    data = file.create_dataset(name, (2**20, 2**18), "f4", chunks=(64, 64), compression="gzip")
    data[0, 0] = 1


def test_shapes_that_unfold_are_refused_before_a_model_is_made_for_them(tmp_path: Path) -> None:
    """The last dense layer says how many classes a network has: a billion, here."""

    def change(file: Any) -> None:
        del file["fc1/fc1_W_1:0"]
        unfolding(file, "fc1/fc1_W_1:0")

    path = write(tmp_path / "w.h5", change)
    for ask in (lambda: import_weights(small(), path), lambda: import_model(path, "vgg16")):
        with pytest.raises(CheckpointError, match=r"/fc1/fc1_W_1:0: says it has shape .*far more than its \d+ bytes"):
            ask()

    def many(file: Any) -> None:
        del file["fc1/fc1_W_1:0"]
        file["fc1/fc1_W_1:0"] = np.ones((1, 70_000), np.float32)

    with pytest.raises(CheckpointError, match="tells 70000 classes apart, at most 65536"):
        import_model(write(tmp_path / "many.h5", many), "vgg16")


def test_every_cut_and_flip_is_an_error_or_numbers(tmp_path: Path, cases: Callable[[int], None]) -> None:
    data = write(tmp_path / "w.h5").read_bytes()
    broken = tmp_path / "broken.h5"
    rng = np.random.default_rng(3)
    for place in rng.integers(8, len(data), 5).tolist():
        flipped = bytearray(data)
        flipped[place] ^= 0x55
        for content in (data[:place], bytes(flipped)):
            broken.write_bytes(content)
            try:
                import_weights(small(), broken)
            except CheckpointError as error:
                assert str(error).startswith(str(broken))
    cases(10)
