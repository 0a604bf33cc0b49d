"""Every network of the zoo to ONNX, Keras and PyTorch and back: how far its answers are apart there, and then here.

    python scripts/round_trips.py [NETWORK...]

Networks of keras.applications, by their names there, are tried where they are asked for, on pictures of 96 pixels.
Some minutes; needs onnxruntime, Keras and PyTorch, which answer for the files that were written. The way back from
PyTorch is the state dict, in both of its forms, into a network of the same kind. VGG and AlexNet are made with few
dense units; last layers are scaled until scores are 3 to 12 apart, as a trained network's are: equal answers would
agree with anything.
"""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "torch")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from exported_modules import answers, exported, shaken  # of the tests

import pellucid
from pellucid import zoo
from pellucid.convert import import_weights
from pellucid.keras import applications

BOUND = 1e-5
"""Of the largest answer, which is 1 for probabilities."""


def by_onnx(model: pellucid.Model, pictures: np.ndarray, folder: Path) -> Iterator[np.ndarray]:
    import onnxruntime

    model.save(folder / "net.onnx")
    session = onnxruntime.InferenceSession(folder / "net.onnx")
    yield session.run(None, {"pictures": pictures})[0]
    yield pellucid.load(folder / "net.onnx").predict(pictures, verbose=0)


def by_keras(model: pellucid.Model, pictures: np.ndarray, folder: Path) -> Iterator[np.ndarray]:
    import keras

    model.save(folder / "net.keras")
    if (folder / "pellucid_layers.py").exists():
        runpy.run_path(str(folder / "pellucid_layers.py"))
    theirs = keras.models.load_model(folder / "net.keras")
    yield keras.ops.convert_to_numpy(theirs(pictures.astype(np.float32), training=False))
    yield pellucid.load(folder / "net.keras").predict(pictures, verbose=0)


def by_torch(model: pellucid.Model, pictures: np.ndarray, folder: Path) -> Iterator[np.ndarray]:
    yield answers(exported(model, folder), pictures, scaled=True)[0]
    model.save(folder / "net.pth")
    for file in ("net.pth", "net.safetensors"):
        again = made(model.name, seed=5)
        import_weights(again, folder / file)
        again.preprocessing = model.preprocessing
        yield again.predict(pictures, verbose=0)


def made(name: str, seed: int = 0) -> pellucid.Model:
    if callable(build := getattr(applications, name, None)):
        return build(weights=None, input_shape=(96, 96, 3), classes=10, name=name)  # type: ignore[no-any-return]
    options = {"dense_units": 64} if "dense_units" in zoo.options_of(name) else {}
    return zoo.build(name, seed=seed, options=options)


WAYS: dict[str, Callable[[pellucid.Model, np.ndarray, Path], Iterator[np.ndarray]]] = {
    "ONNX": by_onnx,
    "Keras": by_keras,
    "PyTorch": by_torch,
}
"""What answers there, and then here after the way back."""


def decided(model: pellucid.Model, pictures: np.ndarray) -> np.ndarray:
    """The answers, after the last layer with weights was scaled."""
    last = [layer for layer in model.layers if layer.weights][-1]
    for _ in range(80):
        given = model.predict(pictures, verbose=0)
        with np.errstate(divide="ignore"):
            apart = float(np.log(given.max()) - np.log(given.min()))
        if 3 <= apart <= 12:
            break
        last.set_weights([weight * (1.5 if apart < 3 else 0.6) for weight in last.get_weights()])
    return given


def tried(name: str) -> bool:
    """One network, in a line; whether all answers agree."""
    started = time.perf_counter()
    model = shaken(made(name))
    pictures = np.random.default_rng(1).integers(0, 256, (2, *model.input_shape)).astype(np.uint8)
    wanted = decided(model, pictures)
    largest, said, right = max(1.0, float(np.abs(wanted).max())), [], True
    for way, found in WAYS.items():
        with tempfile.TemporaryDirectory() as folder:
            apart = [float(np.abs(each - wanted).max()) / largest for each in found(model, pictures, Path(folder))]
        right &= max(apart) <= BOUND
        said.append(f"{way} {apart[0]:.0e} back {max(apart[1:]):.0e}")
    print(f"{name:20} {', '.join(said)}; {'' if right else 'WRONG, '}{time.perf_counter() - started:.1f} s", flush=True)
    return right


if __name__ == "__main__":
    networks = sys.argv[1:] or zoo.NAMES
    wrong = [name for name in networks if not tried(name)]
    print(f"{len(networks)} networks, {len(WAYS)} formats, there and back; {len(wrong)} not within {BOUND}")
    sys.exit(f"not within {BOUND}: {', '.join(wrong)}" if wrong else 0)
