"""One number taken apart: its parts add up to what the layer computed, whatever the layer; the figure shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pellucid import Model, Sequential, zoo
from pellucid import layers as L
from pellucid.errors import ConfigError
from pellucid.model.tracing import trace
from pellucid.visualise import Dissection, dissect, dissect_figure
from pellucid.visualise.dissection.data import dissect_step
from pellucid.visualise.dissection.figure import draw_dissection, strongest

PICTURE = np.random.default_rng(2).normal(size=(9, 7, 4)).astype(np.float32)
TABLE = [[0, 1], [1, 2, 3], [0, 3], [2], [0, 1, 2, 3]]

LAYERS: dict[str, list[L.Layer]] = {
    "convolution": [L.Conv2D(6, (3, 2))],
    "relu inside": [L.Conv2D(6, 3, padding="same", activation="relu")],
    "leaky inside": [L.Conv2D(5, 3, activation="leaky_relu", use_bias=False)],
    "strided": [L.Conv2D(6, (3, 5), strides=(2, 1), padding="same", activation="tanh")],
    "padded": [L.Conv2D(6, 3, padding=((2, 0), (1, 3)), activation="sigmoid")],
    "dilated": [L.Conv2D(6, (3, 2), dilation_rate=(2, 3), padding=2)],
    "grouped": [L.Conv2D(6, 3, groups=2, padding=1)],
    "one by one": [L.Conv2D(8, 1, groups=4)],
    "softmax over channels": [L.Conv2D(5, 3, activation="softmax")],
    "table": [L.TableConv2D(TABLE, (3, 2), padding="same", activation="tanh")],
    "max pooling": [L.MaxPool2D((2, 3))],
    "max pooling over padding": [L.MaxPool2D(3, 2, padding="same")],
    "average pooling": [L.AvgPool2D((3, 2), (2, 2))],
    "average over padding": [L.AvgPool2D(3, 2, padding="same")],
    "average that counts padding": [L.AvgPool2D(3, 2, 1, ceil_mode=True, count_include_pad=True)],
    "max pooling, rounded up": [L.MaxPool2D((2, 3), (3, 2), ceil_mode=True)],
    "depthwise": [L.DepthwiseConv2D(3, depth_multiplier=2, padding="same")],
    "separable": [L.SeparableConv2D(5, (2, 3), depth_multiplier=2, activation="tanh")],
    "transposed": [L.Conv2DTranspose(3, (3, 2), strides=2, padding="same")],
    "transposed, cut off": [L.Conv2DTranspose(3, 3, strides=(1, 2), padding=1, activation="relu")],
    "transposed, dilated": [L.Conv2DTranspose(3, (2, 3), strides=(2, 1), dilation_rate=(3, 2))],
    "transposed with gaps": [L.Conv2DTranspose(3, 1, strides=2, output_padding=1)],
    "global average": [L.GlobalAvgPool2D()],
    "global max": [L.GlobalMaxPool2D()],
    "subsampling": [L.Subsampling2D(2)],
    "relu": [L.ReLU()],
    "leaky relu": [L.LeakyReLU(0.3)],
    "sigmoid": [L.Sigmoid()],
    "tanh": [L.Tanh()],
    "scaled tanh": [L.ScaledTanh()],
    "prelu": [L.PReLU(shared_axes=(1, 2))],
    "activation by name": [L.Activation("leaky_relu")],
    "linear": [L.Activation("linear")],
    "softmax of maps": [L.Softmax()],
    "batch norm": [L.BatchNorm()],
    "batch norm, plain": [L.BatchNorm(scale=False, center=False)],
    "layer norm": [L.LayerNorm()],
    "layer norm of pictures": [L.LayerNorm(axis=(1, 2, 3))],
    "group norm": [L.GroupNorm(2)],
    "instance norm": [L.GroupNorm(-1, scale=False)],
    "response norm": [L.LocalResponseNorm(size=3, alpha=0.1)],
    "response norm, even": [L.LocalResponseNorm(size=4, alpha=0.1)],
    "zero padding": [L.ZeroPadding2D(((1, 0), (2, 1)))],
    "reflect padding": [L.Padding2D(((1, 0), (2, 1)), "reflect")],
    "edge padding": [L.Padding2D(((1, 0), (2, 9)), "edge")],
    "crop": [L.Cropping2D(((1, 0), (0, 2)))],
    "upsample": [L.UpSampling2D((2, 3))],
    "upsample, bilinear": [L.UpSampling2D((2, 3), "bilinear")],
    "reshape": [L.Reshape((4, -1))],
    "permute": [L.Permute((3, 1, 2))],
    "dropout": [L.Dropout(0.5)],
    "spatial dropout": [L.SpatialDropout2D(0.5)],
    "noise": [L.GaussianNoise(0.5)],
    "dense on maps": [L.Dense(5, activation="softmax")],
    "flatten": [L.Flatten()],
    "dense": [L.Flatten(), L.Dense(11)],
    "dense relu": [L.Flatten(), L.Dense(11, activation="relu", use_bias=False)],
    "dense softmax": [L.Flatten(), L.Dense(11, activation="softmax")],
    "softmax": [L.Flatten(), L.Dense(11), L.Softmax()],
    "distance": [L.Flatten(), L.RBF(4)],
}
SERIES: dict[str, list[L.Layer]] = {
    "series": [L.Conv1D(3, 4, strides=2, padding="same", activation="relu")],
    "series softmax": [L.Conv1D(3, 4, activation="softmax")],
    "series max": [L.MaxPool1D(3, 2, padding="same")],
    "series average": [L.AvgPool1D(2)],
    "whole series, mean": [L.GlobalAvgPool1D()],
    "whole series, max": [L.GlobalMaxPool1D()],
}
LAID_OUT = (
    *("convolution", "padded", "grouped", "one by one", "softmax over channels", "table", "max pooling over padding"),
    *("average over padding", "global average", "subsampling", "relu", "batch norm", "response norm", "zero padding"),
    *("transposed", "transposed with gaps", "group norm", "prelu", "upsample, bilinear"),
    *("flatten", "dense", "dense softmax", "softmax", "distance", "series", "series softmax", "series max"),
)
"""Of those, what is laid out too, which takes half a second: the others have the panels of one of these."""


SUMS = ("convolution", "dense", "average", "sum", "batch norm", "layer norm", "group norm", "weighted sum")


def model_of(layers: list[L.Layer], shape: tuple[int, ...]) -> Sequential:
    """A model whose weights, biases and running numbers are all unlike 0 and 1."""
    model = Sequential([L.Input(shape), *layers], seed=1)
    rng = np.random.default_rng(4)
    for layer in model.layers:
        layer.set_weights([np.abs(rng.normal(0.3, 0.3, w.shape)) if w.ndim == 1 else rng.normal(0, 0.4, w.shape)
                           for w in layer.get_weights()])  # fmt: skip
    return model


def close(found: float, wanted: float, scale: float) -> None:
    assert found == pytest.approx(wanted, rel=1e-5, abs=1e-6 * scale)


def adds_up(found: Dissection, computed: float) -> None:
    """The parts make the result, by the arithmetic of the field `kind`, and the result is what the layer gave."""
    assert found.computed == computed
    scale = 1.0 if found.products is None else max(1.0, float(np.abs(found.products).sum()))
    close(found.result, computed, scale)
    if found.products is not None and found.kernel is not None:
        assert found.patch.shape == found.kernel.shape == found.products.shape
        close(found.products.sum(), found.total or 0.0, scale)
    if found.kind in SUMS and found.products is not None:
        patch, kernel = np.nan_to_num(found.patch), np.asarray(found.kernel)
        np.testing.assert_allclose(patch * kernel, found.products)
        close(found.before, (found.total or 0.0) + (found.bias or 0.0), scale)
    if found.kind == "product":
        close(float(np.prod(found.patch)), found.result, scale)
    if found.kind == "max":
        assert found.picked is not None and found.patch[found.picked] == found.result == np.nanmax(found.patch)
    if found.rivals is not None:
        z = found.rivals
        assert np.isclose(z[found.position[-1]], found.before)
        assert np.exp(found.before - z.max()) / np.exp(z - z.max()).sum() == pytest.approx(found.result)


@pytest.mark.parametrize("name", [*LAYERS, *SERIES])
def test_every_number_adds_up_to_what_the_layer_computed(name: str) -> None:
    picture = PICTURE if name in LAYERS else PICTURE[:, :, 0]
    model = model_of({**LAYERS, **SERIES}[name], picture.shape)
    step = trace(model, picture[None])[-1]
    rng = np.random.default_rng(5)
    corners = [(0,) * (step.output.ndim - 1), tuple(size - 1 for size in step.output.shape[1:])]
    drawn = [tuple(int(rng.integers(size)) for size in step.output.shape[1:]) for _ in range(12)]
    for position in [*corners, *drawn]:
        adds_up(dissect_step(step, position), float(step.output[(0, *position)]))


MERGES: dict[str, L.Layer] = {
    "add": L.Add(), "multiply": L.Multiply(), "multiply by a row": L.Multiply(), "concatenate": L.Concatenate(),
    "concatenate rows": L.Concatenate(axis=1),
}  # fmt: skip


def merging(name: str) -> Model:
    """A convolution, and what is merged with its input."""
    first = L.Input(PICTURE.shape)
    other = L.Conv2D(4, 3, padding="same")(first)
    row = L.GlobalAvgPool2D()(other)
    layer = L.from_config(MERGES[name].config())
    return Model(first, layer([row, first] if name.endswith("row") else [first, other, first]), seed=1)


@pytest.mark.parametrize("name", MERGES)
def test_numbers_of_merging_layers_add_up(name: str) -> None:
    step = trace(merging(name), PICTURE[None])[-1]
    rng = np.random.default_rng(5)
    for _ in range(12):
        position = tuple(int(rng.integers(size)) for size in step.output.shape[1:])
        found = dissect_step(step, position)
        adds_up(found, float(step.output[(0, *position)]))
        assert len(found.sources) == found.patch.size == (1 if name.startswith("con") else len(step.input))
        for source, value in zip(found.sources, found.patch, strict=True):
            assert value in step.input[source]


@pytest.mark.parametrize(
    "layer", [L.Dropout(0.5), L.SpatialDropout2D(0.5), L.GaussianNoise(0.5), L.BatchNorm()], ids=lambda one: one.role
)
def test_numbers_of_a_training_step_add_up(layer: L.Layer) -> None:
    model = model_of([layer], PICTURE.shape)
    step = trace(model, np.stack([PICTURE, 2 * PICTURE + 1]), training=True)[-1]
    for example in (0, 1):
        for position in ((0, 0, 0), (3, 2, 1), (8, 6, 3), (5, 5, 2)):
            found = dissect_step(step, position, example=example)
            adds_up(found, float(step.output[(example, *position)]))


@pytest.mark.parametrize("name", ["lenet5-published", "simple-convnet", "convnetjs-cifar10"])
def test_the_layers_of_whole_networks_add_up(name: str) -> None:
    model = zoo.build(name)
    picture = np.random.default_rng(1).integers(0, 256, model.input_shape, np.uint8)
    for step in trace(model, picture[None]):
        found = dissect(model, picture, step.name)
        assert step.output[0][found.position] == step.output.max()  # the default is the largest
        adds_up(found, float(step.output.max()))


def test_a_convolution_by_hand() -> None:
    model = Sequential([L.Conv2D(1, 2, padding=1, activation="relu", input_shape=(2, 2, 1), name="conv")])
    model.set_weights([np.array([[1.0, -2.0], [3.0, 0.5]]).reshape(2, 2, 1, 1), [0.25]])
    found = dissect(model, np.array([[1.0, 2.0], [4.0, 8.0]], np.float32), "conv", (0, 1, 0))
    assert found.rows == (-1, 0) and found.columns == (0, 1)
    assert found.inside is not None and found.inside.tolist() == [[False, False], [True, True]]
    assert found.patch[:, :, 0].tolist() == [[0, 0], [1, 2]]
    assert found.products is not None and found.products[:, :, 0].tolist() == [[0, 0], [3, 1]]
    assert (found.total, found.bias, found.before, found.result) == (4, 0.25, 4.25, 4.25)
    assert found.equation == "sum of 4 products 4 + bias 0.25 = 4.25; relu(4.25) = 4.25"


def test_groups_and_tables_name_the_channels_a_filter_sees() -> None:
    grouped = model_of([L.Conv2D(6, 3, groups=2, name="conv")], PICTURE.shape)
    assert dissect(grouped, PICTURE, "conv", (0, 0, 2)).channels == (0, 1)
    assert dissect(grouped, PICTURE, "conv", (0, 0, 3)).channels == (2, 3)
    table = model_of([L.TableConv2D(TABLE, 2, name="conv")], PICTURE.shape)
    assert dissect(table, PICTURE, "conv", (0, 0, 1)).channels == (1, 2, 3)


def test_a_changed_weight_changes_the_products_it_takes_part_in() -> None:
    model = model_of([L.Conv2D(2, 3, name="conv")], PICTURE.shape)
    before = dissect(model, PICTURE, "conv", (1, 1, 1))
    kernel, bias = model.get_weights()
    kernel[2, 0, 3, 1] += 1
    model.set_weights([kernel, bias])
    after = dissect(model, PICTURE, "conv", (1, 1, 1))
    assert before.products is not None and after.products is not None
    assert np.argwhere(before.products != after.products).tolist() == [[2, 0, 3]]
    assert after.result - before.result == pytest.approx(PICTURE[3, 1, 3], rel=1e-5)


def shown(ax: Any) -> np.ndarray:
    return np.ma.filled(ax.images[0].get_array(), np.nan)


def test_the_figure_shows_the_patch_the_kernel_and_the_products_of_the_strongest_channels() -> None:
    rng = np.random.default_rng(9)
    picture = rng.normal(size=(6, 6, 7)).astype(np.float32)
    model = model_of([L.Conv2D(3, 3, name="conv")], picture.shape)
    found = dissect(model, picture, "conv", (2, 1, 2))
    figure = dissect_figure(model, picture, "conv", (2, 1, 2))
    order, sums, rest = strongest(found)
    assert found.products is not None
    every = found.products.sum(axis=(0, 1))
    assert order == sorted(range(7), key=lambda c: -abs(every[c]))[:4]
    assert sum(sums) + rest == pytest.approx(found.total)
    axes = figure.axes[:-1]
    for row, channel in enumerate(order):
        where, patch, kernel, products = axes[4 * row : 4 * row + 4]
        assert where.get_title() == f"input, channel {channel}"
        np.testing.assert_allclose(shown(where), picture[:, :, channel])
        np.testing.assert_allclose(shown(patch), picture[2:5, 1:4, channel])
        np.testing.assert_allclose(shown(kernel), model.layers[0].params["kernel"][:, :, channel, 2])
        np.testing.assert_allclose(shown(products), shown(patch) * shown(kernel))
        written = [f"{w:.2f}".replace("-0.00", "0.00") for w in shown(kernel).ravel()]
        assert [text.get_text() for text in kernel.texts] == written
        assert products.get_xlabel() == f"sum {sums[row]:.4g}"
    assert f"{abs(rest):.4g} (the other 3)" in figure.get_supxlabel()
    assert found.equation in figure.get_supxlabel()
    assert "not trained" in figure.get_suptitle() and "number (2, 1, 2) of conv, 4x4x3" in figure.get_suptitle()
    np.testing.assert_allclose(shown(figure.axes[-1]), found.output[:, :, 2])


def test_large_windows_have_no_numbers_in_their_cells() -> None:
    model = model_of([L.Conv2D(1, 8, name="conv")], PICTURE.shape[:1] * 2 + (1,))
    figure = dissect_figure(model, np.ones((9, 9, 1), np.float32), "conv")
    assert not any(ax.texts for ax in figure.axes)


def test_the_largest_value_of_a_pooling_is_framed_in_its_patch() -> None:
    model = model_of([L.MaxPool2D(3, name="pool")], PICTURE.shape)
    found = dissect(model, PICTURE, "pool", (1, 1, 2))
    figure = dissect_figure(model, PICTURE, "pool", (1, 1, 2))
    row, column = np.unravel_index(PICTURE[3:6, 3:6, 2].argmax(), (3, 3))
    assert found.picked == (row, column, 0)
    frame = figure.axes[1].patches[0]
    assert frame.get_xy() == (column - 0.5, row - 0.5)  # type: ignore[attr-defined]


def test_a_dense_layers_largest_products_are_written_out_and_the_rest_is_summed() -> None:
    model = model_of([L.Flatten(), L.Dense(5, activation="softmax", name="out")], PICTURE.shape)
    found = dissect(model, PICTURE, "out", (3,))
    figure = draw_dissection(found)
    products, rivals, output = figure.axes
    largest = np.argsort(-np.abs(np.asarray(found.products)), kind="stable")[:12]
    widths = [bar.get_width() for bar in products.patches]  # type: ignore[attr-defined]
    np.testing.assert_allclose(widths[:12], np.asarray(found.products)[largest])
    assert sum(widths) == pytest.approx(found.total)
    labels = [text.get_text() for text in products.get_yticklabels()]
    assert labels[0].startswith(f"input {largest[0]}: ") and labels[-1] == "the other 240"
    assert sorted(bar.get_width() for bar in rivals.patches) == pytest.approx(  # type: ignore[attr-defined]
        sorted(np.asarray(found.rivals))
    )
    assert output.get_title() == "output: unit 3 of 5"


def test_what_softmax_compares_are_called_by_their_classes() -> None:
    for last in ([L.Dense(3, activation="softmax", name="out")], [L.Dense(3), L.Softmax(name="out")]):
        model = model_of([L.Flatten(), *last], PICTURE.shape)
        model.class_names = ("cat", "dog", "a very long name of a class")
        figure = draw_dissection(dissect(model, PICTURE, "out", (1,)))
        labels = [text.get_text() for ax in figure.axes for text in ax.get_yticklabels()]
        told = [label.split(":")[0] for label in labels if "e^" in label]
        assert sorted(told) == ["a very lo… a class", "cat", "dog"]
        assert "number (1, 'dog') of out" in figure.get_suptitle()
    assert dissect(model, PICTURE, "dense").names == ()  # its units are classes no more than they are numbers


@pytest.mark.parametrize("name", [*LAYERS, *SERIES])
def test_every_kind_has_a_figure(name: str) -> None:
    picture = PICTURE if name in LAYERS else PICTURE[:, :, 0]
    model = model_of({**LAYERS, **SERIES}[name], picture.shape)
    step = trace(model, picture[None])[-1]
    found = dissect_step(step)
    figure = draw_dissection(found, title="it")
    assert found.equation in figure.get_supxlabel() and f"of {step.name}" in figure.get_suptitle()
    if name in LAID_OUT:
        figure.draw_without_rendering()


def test_wrong_questions_are_answered_plainly() -> None:
    model = model_of([L.Conv2D(2, 3, name="conv"), L.Flatten(name="flat")], PICTURE.shape)
    with pytest.raises(ConfigError, match=r"unknown layer of .*'con'.*did you mean 'conv'"):
        dissect(model, PICTURE, "con")
    with pytest.raises(ConfigError, match=r"7x5x2 .*\(row, column, channel\).*to \(6, 4, 1\), got \(7, 0, 0\)"):
        dissect(model, PICTURE, "conv", (7, 0, 0))
    with pytest.raises(ConfigError, match=r"\(unit,\).*got \(0, 0\)"):
        dissect(model, PICTURE, "flat", (0, 0))
    with pytest.raises(ConfigError, match=r"got \(0, 0, -1\)"):
        dissect(model, PICTURE, "conv", (0, 0, -1))

    class Own(L.ReLU):
        """May compute anything."""

    class Norm(L.MaxPool2D):
        """A pooling of the package that no dissection knows."""

        reduction = "norm"
        custom = False

    for layer in (Own(name="own", input_shape=(3, 3, 1)), Norm(name="own", input_shape=(3, 3, 1))):
        step = trace(Sequential([layer]), np.ones((1, 3, 3, 1), np.float32))[0]
        with pytest.raises(ConfigError, match=r"'own'.*cannot be taken apart.*Conv2D"):
            dissect_step(step)


def test_a_dissection_says_what_the_layer_did_and_not_what_it_should_have_done() -> None:
    model = model_of([L.Conv2D(2, 3, name="conv")], PICTURE.shape)
    step = trace(model, PICTURE[None])[0]
    found = dissect_step(replace(step, output=step.output + 1), (0, 0, 0))
    assert found.computed == pytest.approx(found.result + 1, rel=1e-5)
