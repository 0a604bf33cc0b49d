"""`pellucid export --to torch`: PyTorch runs what was written, and answers as the model does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command
from exported_modules import answers, exported, shaken

import pellucid
from pellucid import Model, zoo
from pellucid import layers as L
from pellucid.convert import import_weights
from pellucid.datasets.transforms import Preprocessing
from pellucid.engines.torch.table import ROWS
from pellucid.errors import ConfigError
from pellucid.layers.activation import ACTIVATIONS
from pellucid.model import Sequential


def branched() -> Model:
    """Merges, a value with several readers, a flatten that keeps its order, and two outputs."""
    inputs = L.Input((6, 8, 3))
    first = L.Conv2D(4, 3, padding="same", name="conv")(inputs)
    gate = L.Dense(4, activation="sigmoid", name="train")(L.GlobalAvgPool2D()(first))
    y = L.Add()([L.Multiply()([first, gate]), L.Conv2D(4, 1, name="3-x")(inputs)])
    y = L.Concatenate()([y, L.Activation("relu")(first), L.MaxPool2D(3, 1, padding=1)(y)])
    pool = L.AvgPool2D(3, 1, padding=1)(L.Rescaling(0.5, [0.1] * 12)(y))
    y = L.Maximum()([L.Average()([y, pool]), L.Minimum()([pool, L.Subtract()([pool, y])])])
    flat = L.Flatten()(L.Concatenate(axis=1)([y, y]))
    return Model(inputs, [L.Dense(5, name="out")(L.Dropout(0.5)(flat)), L.ReLU()(flat)], "branched")


def products() -> Model:
    """Of rows and of maps, as they are and as cosines; a mean that keeps its axes."""
    inputs = L.Input((4, 3, 2))
    maps = L.UnitNormalization((1, 3))(L.Conv2D(5, 1)(inputs))
    row = L.Flatten()(L.GlobalAvgPool2D(keepdims=True)(L.RMSNorm((1, 2, 3))(maps)))
    cosine = L.Dot(1, normalize=True)([row, L.Dense(5)(row)])
    return Model(inputs, [cosine, L.Dot((2, 1))([maps, L.Reshape((3, 4))(L.Dense(12)(row))])], "products")


def activations() -> Model:
    inputs = L.Input((4, 3, 2))
    kinds = [L.Activation(kind) for kind in ACTIVATIONS if kind != "linear"]
    return Model(inputs, L.Concatenate()([kind(inputs) for kind in [*kinds, L.Softmax(axis=1)]]), "activations")


SERIES = [L.SpatialDropout1D(0.2), L.ZeroPadding1D((0, 2)), L.UpSampling1D(3), L.Cropping1D((1, 4))]
SMALL: dict[str, Any] = {
    "borders": [
        *(L.Input((9, 8, 2)), L.Padding2D((1, 2), "reflect"), L.Conv2D(3, (3, 2), 2, padding="same"), L.ELU(0.7)),
        *(L.UpSampling2D((2, 1), "bilinear"), L.Cropping2D(((1, 0), (0, 2))), L.UpSampling2D((1, 2))),
        *(L.Resizing(12, 9, "nearest"), L.RandomCrop(8, 7), L.Identity(), L.CenterCrop(9, 6)),
        *(
            L.Resizing(5, 7, crop_to_aspect_ratio=True),
            L.RandomFlip(),
            L.Normalization(mean=[1, 2, 3], variance=[1, 2, 4]),
        ),
    ],
    "pools": [
        *(L.Input((11, 10, 2)), L.MaxPool2D(3, 2, padding="same"), L.AvgPool2D(3, 1, padding=1), L.ReLU(6, 0.1, 0.2)),
        *(
            L.AvgPool2D(2, 2, padding=1, count_include_pad=True),
            L.AvgPool2D(2, 2, ceil_mode=True, padding=((0, 1), (1, 0))),
        ),
        *(L.MaxPool2D(2, 1, padding=((1, 0), (0, 0))), L.GlobalMaxPool2D()),
    ],
    "norms": [
        *(L.Input((5, 4, 6)), L.BatchNorm(scale=False), L.LayerNorm(), L.GroupNorm(3), L.LocalResponseNorm(3, 0.1)),
        *(L.LayerNorm((1, 2, 3)), L.PReLU(shared_axes=(1, 2)), L.Flatten(), L.BatchNorm(), L.Dense(4), L.Softmax()),
    ],
    "convs": [
        *(L.Input((8, 9, 4)), L.SeparableConv2D(6, 3, padding=1, depth_multiplier=2, activation="relu")),
        *(
            L.DepthwiseConv2D(3, 2, depth_multiplier=2),
            L.Conv2D(6, 2, groups=3, dilation_rate=2),
            L.SpatialDropout2D(0.2),
        ),
        *(L.Conv2DTranspose(5, (3, 2), 2), L.Conv2DTranspose(3, 2, 3, padding="same"), L.GaussianNoise(0.1)),
        *(L.Conv2DTranspose(3, 3, 2, padding=1, output_padding=1), L.Dense(2), L.Sigmoid()),
    ],
    "published": [
        *(L.Input((8, 8, 2)), L.Subsampling2D(2), L.ScaledTanh(), L.TableConv2D([[0], [0, 1], [1]], 3)),
        *(L.Flatten(), L.RBF(4)),
    ],
    "moved": [L.Input((3, 4, 2)), L.Permute((3, 1, 2)), L.Reshape((4, 6)), L.Conv1D(3, 2), L.MaxPool1D(2), L.Flatten()],
    "series": [
        L.Input((12, 3)),
        L.Conv1D(4, 3, padding="same"),
        L.AvgPool1D(2),
        L.LeakyReLU(),
        *SERIES,
        L.GlobalAvgPool1D(),
    ],
    "more series": [
        *(L.Input((6,)), L.RepeatVector(7), L.SeparableConv1D(4, 3, depth_multiplier=2), L.RMSNorm()),
        *(L.Conv1DTranspose(3, 3, 2, "same"), L.Conv1DTranspose(4, 2, 3, (1, 2)), L.UnitNormalization()),
        *(L.DepthwiseConv1D(3, 2, (1, 0), 2, dilation_rate=2), L.GlobalMaxPool1D(keepdims=True), L.Flatten()),
    ],
    "row": [L.Input((6,)), L.Dense(5, use_bias=False), L.BatchNorm(), L.Tanh(), L.Dense(2, activation="softmax")],
}
GRAPHS = {"branched": branched, "activations": activations, "products": products}


@pytest.mark.parametrize("name", [*SMALL, *GRAPHS])
def test_pytorch_answers_as_the_model(name: str, tmp_path: Path) -> None:
    model = shaken(GRAPHS[name]() if name in GRAPHS else Sequential(SMALL[name], name=name))
    x = np.random.default_rng(1).normal(size=(3, *model.input_shape)).astype(np.float32)
    given = model.predict(x)
    wanted = given if isinstance(given, list) else [given]
    for found, ours in zip(answers(exported(model, tmp_path), x, scaled=False), wanted, strict=True):
        assert np.ptp(ours) > 1e-3, "outputs that hardly differ would agree with anything"
        np.testing.assert_allclose(found, ours, rtol=1e-4, atol=1e-5)


def test_every_row_is_tried() -> None:
    tried = [layer for make in GRAPHS.values() for layer in make().layers]
    tried += [layer for layers in SMALL.values() for layer in layers]
    near = {kind for layer in tried for kind in type(layer).__mro__}
    assert ROWS.keys() <= near, sorted(kind.__name__ for kind in ROWS.keys() - near)


@pytest.mark.parametrize(
    "name", ["simple-convnet", "lenet5-published", "photo-net", "resnet20", "squeezenet1_1", "unet"]
)
def test_networks_of_the_zoo_go_there_and_back(name: str, tmp_path: Path) -> None:
    side = {"squeezenet1_1": (48, 40), "unet": (16, 24), "photo-net": (32, 48)}.get(name)
    shape = None if side is None else (*side, 3)
    model = shaken(zoo.build(name, input_shape=shape))
    model.class_names = tuple(f"class {number}" for number in range(model.output_shape[-1]))
    model.preprocessing = Preprocessing(mean=(0.4,), std=(0.3,))
    program = exported(model, tmp_path)
    pictures = np.random.default_rng(1).integers(0, 256, (2, *model.input_shape)).astype(np.uint8)
    np.testing.assert_allclose(answers(program, pictures, scaled=True)[0], model.predict(pictures), atol=1e-5)
    assert model.class_names == program.CLASSES
    again = zoo.build(name, input_shape=shape, seed=5)
    report = import_weights(again, tmp_path / "net.safetensors")
    assert not report.fresh and not report.by_order
    for old, new in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_the_command_writes_both_files_and_the_program_is_short(command: Command, tmp_path: Path) -> None:
    model = Sequential([L.Input((8, 8, 1)), L.Conv2D(2, 3, activation="relu"), L.Flatten(), L.Dense(3)], name='odd "n"')
    model.save(tmp_path / "m.safetensors")
    status, table, err = command("export", tmp_path / "m.safetensors", "--to", "torch", "--out", tmp_path / "net.py")
    assert status == 0, err
    assert str(tmp_path / "net.py") in table and (tmp_path / "net.safetensors").is_file()
    text = (tmp_path / "net.py").read_text()
    assert "x = F.relu(self.conv2d(x))" in text and "class OddN(nn.Module):" in text and len(text.splitlines()) < 45
    again = tmp_path / "again.safetensors"
    status, table, err = command(
        "import", tmp_path / "net.safetensors", "--as", tmp_path / "m.safetensors", "--out", again
    )
    assert status == 0, err
    for old, new in zip(model.get_weights(), pellucid.load(again).get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_what_pytorch_has_not_is_refused_by_name() -> None:
    class Own(L.ReLU):
        pass

    with pytest.raises(ConfigError, match=r"'own' \(Own\): cannot be written for PyTorch"):
        pellucid.export.write(Sequential([L.Input((4,)), Own(name="own")]), "never.py")
    with pytest.raises(ConfigError, match=r"share the other axes: shared_axes=\(1, 2\)"):
        pellucid.export.write(Sequential([L.Input((4, 4, 2)), L.PReLU()]), "never.py")


def test_weights_are_not_read_where_their_order_is_unknown(tmp_path: Path) -> None:
    model = branched()
    exported(model, tmp_path)
    with pytest.raises(ConfigError, match=r"\(Flatten\): what reads it does not tell"):
        import_weights(branched(), tmp_path / "net.safetensors")
