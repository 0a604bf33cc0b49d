"""LeNet-5 as published: its layers against loops and against the paper written out in PyTorch, its counts, its file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import Command
from small_model import training_plan

import pellucid
from pellucid import datasets, layers, zoo
from pellucid.errors import ConfigError, ShapeError
from pellucid.losses import MAPCriterion
from pellucid.plan import COUNT, LOSS, Feed
from pellucid.zoo.bitmaps import digit_bitmaps
from pellucid.zoo.lenet import TABLE_I

# table I of the paper: a row for each map of S2, a column for each of C3
TABLE_OF_THE_PAPER = """
X...XXX..XXXX.XX
XX...XXX..XXXX.X
XXX...XXX..X.XXX
.XXX..XXXX..X.XX
..XXX..XXXX.XX.X
...XXX..XXXX.XXX
"""


def test_the_connection_table_is_the_papers() -> None:
    rows = TABLE_OF_THE_PAPER.split()
    assert all(row.count("X") == 10 for row in rows)
    columns = [tuple(c for c in range(6) if rows[c][o] == "X") for o in range(16)]
    assert tuple(columns) == TABLE_I
    assert sum(map(len, TABLE_I)) == 60


def test_parameters_and_connections_as_section_2b_states_them() -> None:
    model = zoo.lenet5_published()
    rows = {row.name: row for row in model.outline().rows}
    stated = {"c1": 156, "s2": 12, "c3": 1_516, "s4": 32, "c5": 48_120, "f6": 10_164}
    assert {name: rows[name].trainable_parameters for name in stated} == stated
    assert model.outline().trainable_parameters == 60_000 and model.count_params() == 60_000 + 84 * 10
    # a connection is a multiplication or a bias, at each place of each map
    outputs = {"c1": 28 * 28 * 6, "c3": 10 * 10 * 16, "c5": 120}
    connections = {name: rows[name].macs + biases for name, biases in outputs.items()}
    assert connections == {"c1": 122_304, "c3": 151_600, "c5": 48_120}
    assert [rows[name].output_shape for name in ("c1", "s2", "c3", "s4", "c5", "f6")] == [
        (28, 28, 6),
        (14, 14, 6),
        (10, 10, 16),
        (5, 5, 16),
        (1, 1, 120),
        (84,),
    ]
    assert zoo.lenet5_published((32, 32, 1)).get_layer("c1").output_shape((32, 32, 1)) == (28, 28, 6)


def test_weights_start_within_two_point_four_over_the_fan_in() -> None:
    model = zoo.lenet5_published(seed=4)
    fans = {"c1": 25, "s2": 4, "s4": 4, "c5": 400, "f6": 120}
    for name, fan in fans.items():
        kernel = np.abs(model.get_layer(name).params["kernel"])
        assert 0.5 < kernel.max() * fan / 2.4 <= 1
    kernel, start = model.get_layer("c3").params["kernel"], 0
    for seen in TABLE_I:
        own = np.abs(kernel[..., start : start + len(seen)])
        assert 0.9 < own.max() * 25 * len(seen) / 2.4 <= 1
        start += len(seen)
    assert start == kernel.shape[-1] == 60


def test_pixels_become_the_papers_range() -> None:
    model = zoo.lenet5_published()
    picture = np.array([0, 255], np.uint8).repeat(14 * 28).reshape(1, 28, 28, 1)
    np.testing.assert_allclose(np.unique(model.scaled(picture)), [-0.1, 1.175], rtol=1e-6)


def test_a_table_convolution_is_one_small_convolution_for_each_filter() -> None:
    rng = np.random.default_rng(0)
    table = ((2, 0), (1,), (0, 1, 2))
    layer = layers.TableConv2D(table, (3, 2), (1, 2), "same", activation="tanh")
    x = rng.standard_normal((2, 6, 7, 3)).astype(np.float32)
    y = layer(x)
    start = 0
    for number, seen in enumerate(table):
        single = layers.Conv2D(1, (3, 2), (1, 2), "same", activation="tanh")
        single(x[..., seen])
        kernel = layer.params["kernel"][..., start : start + len(seen)]
        single.set_weights([kernel[..., None], [0.0]])
        np.testing.assert_allclose(y[..., [number]], single(x[..., seen]), rtol=1e-5, atol=1e-6)
        start += len(seen)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ((), "got no filter"),
        (((0,), ()), r"filter 1 must see one map or more, each once, got \[\]"),
        (((0, 1, 0),), "filter 0 must see one map or more, each once"),
        (((0, -1),), "filter 0"),
        (((0,), (2,)), "none that sees map 1"),
        (("ab",), "must list the maps that each filter sees"),
        (7, "must list the maps"),
    ],
)
def test_tables_that_connect_nothing(table: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        layers.TableConv2D(table, 3)  # type: ignore[arg-type]


def test_a_table_needs_the_maps_it_names() -> None:
    with pytest.raises(ShapeError, match="built for 3 input channels, got 4"):
        layers.TableConv2D(((0, 1), (2,)), 3).build((5, 5, 4), np.random.default_rng(0))


def test_subsampling_by_hand() -> None:
    layer = layers.Subsampling2D(2)
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    layer(x)
    layer.set_weights([[0.5], [3.0]])
    sums = np.array([[0 + 1 + 4 + 5, 2 + 3 + 6 + 7], [8 + 9 + 12 + 13, 10 + 11 + 14 + 15]])
    np.testing.assert_allclose(layer(x)[0, :, :, 0], 0.5 * sums + 3)


def test_the_scaled_tanh_keeps_plus_and_minus_one() -> None:
    y = layers.ScaledTanh()(np.array([[-1.0, 0.0, 1.0, 100.0]]))
    np.testing.assert_allclose(y, [[-1, 0, 1, 1.7159]], atol=2e-5)
    for wrong in ({"amplitude": 0}, {"slope": float("inf")}):
        with pytest.raises(ConfigError, match="must be a number above 0"):
            layers.ScaledTanh(**wrong)


def test_rbf_is_minus_the_squared_distance() -> None:
    rng = np.random.default_rng(3)
    layer = layers.RBF(4)
    x = rng.standard_normal((5, 9)).astype(np.float32)
    y = layer(x)
    assert set(np.unique(layer.params["kernel"])) == {-1.0, 1.0}
    expected = -((x[:, :, None] - layer.params["kernel"]) ** 2).sum(axis=1)
    np.testing.assert_allclose(y, expected, rtol=1e-5)
    np.testing.assert_allclose(layer(layer.params["kernel"].T).diagonal(), 0, atol=1e-6)
    with pytest.raises(ShapeError, match="was built for 9 inputs, got 8"):
        layer(x[:, :8])


def test_digit_bitmaps_lie_apart() -> None:
    codes = digit_bitmaps((84, 10), np.random.default_rng(0))
    assert set(np.unique(codes)) == {-1.0, 1.0}
    pictures = codes.T.reshape(10, 12, 7)
    assert (pictures[:, [0, -1]] == -1).all() and (pictures.max(axis=(1, 2)) == 1).all()
    different = (codes[:, :, None] != codes[:, None]).sum(axis=0)
    assert different[~np.eye(10, dtype=bool)].min() >= 4
    # the paper's point: what looks alike has codes that are alike
    assert different[8, 3] < different[8, 1] and different[9, 8] < different[9, 7]
    for shape in ((84, 11), (83, 10), (84,)):
        with pytest.raises(ConfigError, match="at most 10 classes"):
            digit_bitmaps(shape, np.random.default_rng(0))


def test_codes_by_name() -> None:
    assert zoo.lenet5_published(classes=12).output_shape == (12,)
    digits, random = (zoo.lenet5_published(codes=codes).get_layer("output") for codes in ("digits", "random"))
    assert np.any(digits.params["kernel"] != random.params["kernel"])
    with pytest.raises(ConfigError, match="did you mean 'digits'"):
        zoo.lenet5_published(codes="digit")


def test_one_step_agrees_with_the_paper_written_out_in_torch() -> None:
    torch = pytest.importorskip("torch")
    f = torch.nn.functional
    model = zoo.lenet5_published(seed=5)
    rng = np.random.default_rng(6)
    for layer in model.layers:  # biases off 0 too
        if layer.params and layer.trainable:
            layer.set_weights([array + 0.05 * rng.standard_normal(array.shape) for array in layer.weights])
    model.compile("sgd", MAPCriterion(30.0))
    x = rng.standard_normal((4, 28, 28, 1)).astype(np.float32)
    targets = np.array([3, 0, 9, 3], np.int32)
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)
    plan = training_plan(model, Feed(x, targets, None, capacity=4, picture=(28, 28, 1), scale=one, offset=zero))
    assert plan.run(4, step=0, learning_rate=0.0) and plan.totals[COUNT] == 4

    weights = {
        (layer.name, name): torch.tensor(np.array(array), dtype=torch.float64, requires_grad=True)
        for layer in model.layers
        for name, array in layer.params.items()
    }

    def squash(a):
        return 1.7159 * torch.tanh(2 / 3 * a)

    def correlate(maps, kernels):  # maps: list of (N, H, W), kernels: one (5, 5) each
        return sum(f.conv2d(m[:, None], k[None, None])[:, 0] for m, k in zip(maps, kernels, strict=True))

    def subsample(maps, name):
        out = []
        for number, m in enumerate(maps):
            total = m[:, ::2, ::2] + m[:, 1::2, ::2] + m[:, ::2, 1::2] + m[:, 1::2, 1::2]
            out.append(squash(weights[name, "kernel"][number] * total + weights[name, "bias"][number]))
        return out

    picture = f.pad(torch.tensor(x[..., 0], dtype=torch.float64), (2, 2, 2, 2))
    c1, c3, c5, f6 = (weights[name, "kernel"] for name in ("c1", "c3", "c5", "f6"))
    maps = [squash(correlate([picture], [c1[:, :, 0, o]]) + weights["c1", "bias"][o]) for o in range(6)]
    maps = subsample(maps, "s2")
    columns = np.array([list(row) for row in TABLE_OF_THE_PAPER.split()]).T
    third, place = [], 0
    for o in range(16):
        seen = np.flatnonzero(columns[o] == "X")
        kernels = [c3[:, :, place + i] for i in range(len(seen))]
        third.append(squash(correlate([maps[c] for c in seen], kernels) + weights["c3", "bias"][o]))
        place += len(seen)
    maps = subsample(third, "s4")
    fifth = torch.stack(
        [
            squash(correlate(maps, [c5[:, :, c, o] for c in range(16)])[:, 0, 0] + weights["c5", "bias"][o])
            for o in range(120)
        ],
        dim=1,
    )
    sixth = squash(fifth @ f6 + weights["f6", "bias"])
    penalties = ((sixth[:, :, None] - weights["output", "kernel"]) ** 2).sum(dim=1)
    rows = torch.arange(4)
    e9 = penalties[rows, torch.tensor(targets).long()] + torch.log(np.exp(-30.0) + torch.exp(-penalties).sum(dim=1))
    e9.mean().backward()

    np.testing.assert_allclose(plan.totals[LOSS] / 4, float(e9.mean().detach()), rtol=1e-5)
    probabilities = torch.softmax(-penalties, dim=1).detach().numpy()
    np.testing.assert_allclose(model.predict(x), probabilities, rtol=2e-3, atol=1e-6)
    for segment in model.parameters.segments:
        if segment.trainable:
            expected = weights[segment.layer, segment.name].grad.numpy()
            scale = np.abs(expected).max()
            np.testing.assert_allclose(model.parameters.gradient(segment), expected, rtol=1e-3, atol=1e-5 * scale)


def test_it_learns_digits_from_the_command_line_and_comes_back_from_its_file(
    command: Command, tmp_path: Path, pictures: Path
) -> None:
    run = tmp_path / "run"
    status, out, err = command(
        "train", "lenet5-published", "--size", 28, "--batch-size", 16, "--epochs", 3, "--out", run
    )
    assert status == 0, err
    found = re.search(r"last accuracy (\d+\.\d+) %", out)
    assert found is not None and float(found[1]) > 80, out
    model = pellucid.load(run)
    assert type(model.loss) is MAPCriterion and not model.get_layer("output").trainable
    codes = digit_bitmaps((84, 10), np.random.default_rng(0))
    np.testing.assert_array_equal(model.get_layer("output").params["kernel"], codes)
    test = datasets.load("digits", size=28).test
    guesses = model.predict(np.asarray(test.images)).argmax(axis=1)
    told = json.loads(command("evaluate", run, "--json")[1])
    assert told["accuracy"] == pytest.approx((guesses == test.labels).mean())
    answers = json.loads(command("predict", run, pictures, "--json")[1])
    right = sum(Path(answer["picture"]).stem == answer["predictions"][0]["class"] for answer in answers)
    assert right >= 7 and all(0 < answer["predictions"][0]["probability"] <= 1 for answer in answers)
