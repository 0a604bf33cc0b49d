"""The network's own picture: read back as XML, its boxes measured, its numbers compared with the network's."""

from __future__ import annotations

import functools
import itertools
import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from drawn_shapes import bounds, text_box, texts

from pellucid import Conv1D, Conv2D, Dense, Flatten, Layer, MaxPool1D, MaxPool2D, ReLU, Sequential, zoo
from pellucid.errors import ConfigError
from pellucid.layers import BatchNorm, Dropout, GlobalAvgPool2D
from pellucid.visualise import architecture_figure, architecture_svg, architecture_text
from pellucid.visualise.architecture.blocks import PAGE, draw_blocks
from pellucid.visualise.architecture.data import blocks_of, columns_of
from pellucid.visualise.architecture.figure import architecture
from pellucid.visualise.architecture.nodes import Link, links_of
from pellucid.visualise.drawing.canvas import Circle, Drawing, Line, Polygon, Text, text_width, to_svg

SVG = "{http://www.w3.org/2000/svg}"
SMALL_HEAD = {"dense_units": 64}  # VGG and AlexNet without their hundred million weights
OPTIONS = {name: SMALL_HEAD if name.startswith(("vgg", "alexnet")) else {} for name in zoo.NAMES}


@functools.cache
def network(name: str) -> Sequential:
    return zoo.build(name, options=OPTIONS[name])


@functools.cache
def drawing_of(name: str) -> Drawing:
    return draw_blocks(network(name))


def fronts(drawing: Drawing) -> dict[str, list[tuple[float, float]]]:
    """(width, height) of the front of each box, by what a browser says over it: the upright rectangles."""
    found: dict[str, list[tuple[float, float]]] = {}
    for item in drawing.items:
        if isinstance(item, Polygon) and item.tip:
            (x0, y0), (x1, y1), (x2, y2), _ = item.points
            if y0 == y1 and x1 == x2:
                found.setdefault(item.tip.split(":")[0].split(" ")[0], []).append((x1 - x0, y2 - y1))
    return found


@pytest.mark.parametrize("name", zoo.NAMES)
def test_every_network_of_the_zoo_fits_a_page_of_readable_words(name: str) -> None:
    drawing = drawing_of(name)
    long = 27 * len(blocks_of(network(name)))  # of more than twenty boxes: as wide as a page, and as high as it takes
    assert drawing.width <= PAGE[0] and drawing.height <= max(PAGE[1], long)
    left, top, right, bottom = bounds(drawing.items)
    assert left >= 0 and top >= 0 and right <= drawing.width and bottom <= drawing.height
    assert min(text.size for text in texts(drawing)) >= 8
    for one, other in itertools.combinations(texts(drawing), 2):
        (l1, t1, r1, b1), (l2, t2, r2, b2) = text_box(one), text_box(other)
        assert r1 <= l2 or r2 <= l1 or b1 <= t2 + 0.1 or b2 <= t1 + 0.1, (one.text, other.text)
    figures = [item for item in drawing.items if isinstance(item, Polygon) and item.tip]
    words = [text_box(text) for text in texts(drawing)]
    for figure in figures:
        l1, t1, r1, b1 = bounds([figure])
        assert all(r1 <= l2 or r2 <= l1 or b1 <= t2 or b2 <= t1 for l2, t2, r2, b2 in words), figure.tip


@pytest.mark.parametrize("name", zoo.NAMES)
def test_the_numbers_are_the_networks(name: str) -> None:
    model, drawing = network(name), drawing_of(name)
    words = [text.text for text in texts(drawing)]
    assert f"{model.count_params():,} parameters" in words[0]
    written = [int(text.split(" ")[0].replace(",", "")) for text in words if text.endswith(" params")]
    assert sum(written) == model.count_params()
    shapes = {block.name: block.shape for block in blocks_of(model)}
    for row in model.outline().rows:
        if row.name in shapes:
            assert shapes[row.name] == row.output_shape
            told = f"{row.output_shape[0]:,}" if len(row.output_shape) == 1 else "x".join(map(str, row.output_shape))
            assert told in words, row.name
    assert {row.name for row in model.outline().rows if row.kernel and row.macs} <= set(shapes)


@pytest.mark.parametrize("name", ["vgg16", "cifar-net", "photo-net", "simple-convnet"])
def test_boxes_are_in_proportion(name: str) -> None:
    sizes = fronts(drawing_of(name))
    blocks = {block.name: block for block in blocks_of(network(name)) if block.is_map}
    first = blocks["input"]
    pixel = sizes["input"][0][1] / first.shape[0]
    root = sizes["conv1_1" if name == "vgg16" else "conv1"][0][0]
    root /= math.sqrt(blocks["conv1_1" if name == "vgg16" else "conv1"].shape[2])
    for block in blocks.values():
        for thick, height in sizes[block.name]:
            assert height == pytest.approx(max(pixel * block.shape[0], 2))
            assert thick == pytest.approx(max(root * math.sqrt(block.shape[2]), 2))
    bars = [(block.shape[0], sizes[block.name][0][1]) for block in blocks_of(network(name)) if not block.is_map]
    if len(bars) > 1:
        (units, length), (other_units, other_length) = bars[0], bars[-1]
        assert length / other_length == pytest.approx(math.sqrt(units / other_units))


def test_depth_is_in_proportion_to_the_width_of_the_map() -> None:
    model = Sequential([Conv2D(4, 3, strides=(1, 2), padding="same", input_shape=(20, 40, 1), name="conv")])
    sides: dict[str, float] = {}
    for item in draw_blocks(model).items:
        if isinstance(item, Polygon) and item.tip and item.points[0][0] == item.points[3][0]:
            left, _, right, _ = bounds([item])
            sides[item.tip.split(":")[0].split(" ")[0]] = right - left  # the last such face is the front
            if item.points[0][1] != item.points[1][1]:
                sides[item.tip.split(":")[0].split(" ")[0] + " side"] = right - left
    assert sides["input side"] / sides["conv side"] == pytest.approx(2)
    heights = {name: sizes[0][1] for name, sizes in fronts(draw_blocks(model)).items()}
    assert heights["input"] == pytest.approx(heights["conv"])


@pytest.mark.parametrize("name", zoo.NAMES)
def test_boxes_of_one_block_stay_out_of_the_next(name: str) -> None:
    columns = columns_of(blocks_of(network(name)))
    place = {block.name: number for number, column in enumerate(columns) for block in column}
    reach: dict[int, list[tuple[float, float, float, float]]] = {}
    for item in drawing_of(name).items:
        if isinstance(item, Polygon) and item.tip:
            reach.setdefault(place[item.tip.split(":")[0].split(" ")[0]], []).append(bounds([item]))
    for number in range(len(columns) - 1):
        if min(box[1] for box in reach[number + 1]) > max(box[3] for box in reach[number]):
            continue  # on the next line
        right, left = max(box[2] for box in reach[number]), min(box[0] for box in reach[number + 1])
        assert right + 4 <= left, columns[number][0].name


def test_vgg_shrinks_block_by_block_and_names_its_layers_once() -> None:
    columns = columns_of(blocks_of(network("vgg16")))
    assert [len(column) for column in columns] == [1, 3, 3, 4, 4, 4, 1, 1, 1]
    words = [text.text for text in texts(drawing_of("vgg16"))]
    for expected in ("conv1_1-2", "conv5_1-3", "2 x conv 3x3", "3 x conv 3x3", "224x224x64", "14x14x512", "7x7x512"):
        assert expected in words
    assert "flatten to 25,088" in words
    heights = [size[1] for name, sizes in fronts(drawing_of("vgg16")).items() for size in sizes if "conv" in name]
    assert heights == sorted(heights, reverse=True) and len(heights) == 13


def test_alexnet_has_two_rows_and_crosses_them_where_the_paper_does() -> None:
    drawing = drawing_of("alexnet")
    sizes = fronts(drawing)
    for name in ("conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5"):
        assert len(sizes[name]) == 2, name
    for name in ("input", "fc6", "fc7", "fc8"):
        assert len(sizes[name]) == 1, name
    slopes = [abs(line.points[0][1] - line.points[1][1]) > 1 for line in drawing.items if isinstance(line, Line)]
    ruled_or_level = len(slopes) - sum(slopes)
    # out of the input 2, into conv3 two that cross, into fc6 two
    assert sum(slopes) == 6 and ruled_or_level > 10
    one_row = draw_blocks(zoo.build("alexnet", options={"groups": 1, **SMALL_HEAD}))
    assert all(len(found) == 1 for found in fronts(one_row).values())


def test_many_groups_are_said_and_not_drawn() -> None:
    model = Sequential([Conv2D(8, 3, groups=8, input_shape=(9, 9, 8), name="depthwise")])
    drawing = draw_blocks(model)
    assert len(fronts(drawing)["depthwise"]) == 1
    assert "8 groups" in [text.text for text in texts(drawing)]


def test_what_follows_a_layer_is_written_with_it() -> None:
    model = Sequential(
        [
            Conv2D(4, 3, strides=2, input_shape=(17, 17, 1), name="conv"),
            BatchNorm(),
            ReLU(),
            GlobalAvgPool2D(name="mean"),
            Dropout(0.3),
            Dense(2, activation="softmax", name="classes"),
        ]
    )
    blocks = blocks_of(model)
    assert [block.name for block in blocks] == ["input", "conv", "mean", "classes"]
    assert blocks[1].notes == ("batch norm", "ReLU") and blocks[1].what == "conv 3x3, stride 2"
    assert blocks[1].parameters == 4 * 9 + 4 + 16
    assert blocks[2].notes == ("dropout 0.3",) and blocks[3].notes == ("softmax",)


class Twice(Layer):
    """y = 2 x, a layer of one's own."""

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape

    def forward(self, x: np.ndarray, *, training: bool = False, key: object = None) -> tuple[np.ndarray, object]:
        return 2 * x, None


def test_a_layer_of_ones_own_has_a_box_of_its_own() -> None:
    drawing = draw_blocks(Sequential([Twice(name="twice", input_shape=(8, 8, 3)), Flatten(), Dense(2)]))
    assert "Twice" in [text.text for text in texts(drawing)] and "twice" in fronts(drawing)


def test_a_very_long_network_goes_on_below() -> None:
    layers = [Conv2D(4 + place % 2, 3, padding="same", name=f"c{place}") for place in range(40)]
    drawing = draw_blocks(Sequential([Conv2D(4, 3, input_shape=(32, 32, 3)), *layers]))
    assert drawing.width <= PAGE[0]
    left, top, right, bottom = bounds(drawing.items)
    assert left >= 0 and top >= 0 and right <= drawing.width and bottom <= drawing.height
    equal = [Conv2D(4, 3, padding="same", input_shape=(32, 32, 4)) for _ in range(30)]
    drawing = draw_blocks(Sequential(equal))
    assert {"30 x conv 3x3", "8 drawn"} <= {text.text for text in texts(drawing)}


def test_svg_is_xml_with_words_as_words_and_nothing_outside() -> None:
    model = Sequential([Conv2D(4, 3, input_shape=(9, 9, 1), name="<b>&'한글'\x07</b>"), Flatten(), Dense(2)])
    model.name = "<script>"
    root = ET.fromstring(architecture_svg(model))
    assert root.tag == f"{SVG}svg"
    texts = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    assert any(text.startswith("<b>&'한글'?") for text in texts)
    assert any("<script>" in text for text in texts)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for element in root.iter(f"{SVG}text"):
        x, y, size = (float(element.attrib[name]) for name in ("x", "y", "font-size"))
        half = text_width("".join(element.itertext()), size) / 2
        shift = {"middle": 0.0, "start": half, "end": -half}[element.attrib["text-anchor"]]
        assert x + shift - half >= 0 and x + shift + half <= width and size <= y <= height
    for element in root.iter(f"{SVG}polygon"):
        for x, y in (map(float, pair.split(",")) for pair in element.attrib["points"].split()):
            assert 0 <= x <= width and 0 <= y <= height


def test_a_larger_scale_changes_the_shown_size_alone() -> None:
    drawing = Drawing(100, 50, "a title", [Text(50, 20, "words")])
    root = ET.fromstring(to_svg(drawing, scale=2))
    assert root.attrib["width"] == "200pt" and root.attrib["viewBox"] == "0 0 100 50"


@pytest.mark.parametrize("bold", [False, True])
def test_widths_of_words_are_as_the_font_has_them(bold: bool) -> None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    for words in (
        "102,764,544 params",
        "conv3_1-3",
        "2 x conv 11x11, stride 4",
        "flatten to 25,088",
        "WWWmmm%%@",
        "ill",
    ):
        measured = TextPath((0, 0), words, size=8, prop=font).get_extents().width
        assert measured * 0.99 <= text_width(words, 8, bold=bold) <= measured * 1.35 + 2, words


def test_the_figure_draws_what_the_svg_does() -> None:
    model = network("simple-convnet")
    drawing, figure = architecture(model), architecture_figure(model)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == [text.text for text in texts(drawing)]
    assert len(axes.patches) == sum(isinstance(item, Polygon) for item in drawing.items)
    assert figure.get_size_inches() * 72 == pytest.approx([drawing.width, drawing.height])
    figure.canvas.draw()
    page = figure.bbox
    for text in axes.texts:
        box = text.get_window_extent()
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()


def test_another_network_is_another_picture() -> None:
    wider = zoo.build("simple-convnet", options={"conv1.filters": 8})
    assert architecture_svg(wider) != architecture_svg(network("simple-convnet"))


# Nodes


def brute_links(layer: Layer, shape: tuple[int, ...]) -> set[tuple[int, int]]:
    """Which input reaches which output, found by nudging each input by itself."""
    zero = np.zeros((1, *shape), np.float32)
    rest = layer(zero).reshape(-1)
    found = set()
    for source in range(zero.size):
        nudged = zero.copy()
        nudged.reshape(-1)[source] = 1
        found |= {(source, int(target)) for target in np.flatnonzero(layer(nudged).reshape(-1) != rest)}
    return found


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Conv2D(2, (2, 3)), (4, 5, 1)),
        (Conv2D(4, 3, strides=2, padding="same", groups=2), (5, 6, 4)),
        (Conv2D(1, 2, dilation_rate=2), (5, 4, 2)),
        (Conv1D(2, 3, padding="same"), (7, 1)),
        (MaxPool2D((2, 1)), (4, 3, 2)),
        (MaxPool1D(2), (6, 2)),
    ],
)
def test_lines_are_the_connections_that_the_layer_has(layer: Layer, shape: tuple[int, ...]) -> None:
    expected = brute_links(layer, shape)
    links = links_of(layer, shape)
    assert {(link.source, link.target) for link in links} == expected and len(links) == len(expected)
    if isinstance(layer, Conv2D):  # through which weight: make the weights tell themselves
        kernel = layer.get_weights()[0]
        layer.set_weights([np.arange(1, kernel.size + 1).reshape(kernel.shape), *layer.get_weights()[1:]])
        for link in links[:: max(1, len(links) // 20)]:
            picture = np.zeros((1, *shape), np.float32)
            picture.reshape(-1)[link.source] = 1
            assert layer(picture).reshape(-1)[link.target] == link.weight + 1


def test_the_pages_example_is_told_in_numbers() -> None:
    model = Sequential([Conv2D(2, 2, input_shape=(6, 6, 1), name="conv")])
    drawing = architecture(model, "nodes")
    words = [text.text for text in texts(drawing)]
    assert "8 weights, shared" in words and "(fully: 36 x 50 = 1,800)" in words and "200 connections" in words
    assert sum(isinstance(item, Circle) for item in drawing.items) == 36 + 50
    strong = [item for item in drawing.items if isinstance(item, Line) and item.width > 1]
    assert len(strong) == 8 and len({(line.colour, line.dash) for line in strong}) == 4
    assert sum(isinstance(item, Line) for item in drawing.items) == 200


def test_a_dense_network_joins_everything() -> None:
    model = Sequential([Dense(5, input_shape=(4,), activation="relu"), Dense(3)])
    drawing = architecture(model, "nodes")
    assert sum(isinstance(item, Circle) for item in drawing.items) == 4 + 5 + 3
    assert sum(isinstance(item, Line) for item in drawing.items) == 4 * 5 + 5 * 3
    assert "4 x 5 = 20 weights" in [text.text for text in texts(drawing)]
    wide = architecture(Sequential([Dense(40, input_shape=(4,))]), "nodes")
    assert sum(isinstance(item, Circle) for item in wide.items) == 4 + 16 + 3  # the dots stand for the rest


@pytest.mark.parametrize("style", ["blocks", "nodes"])
def test_words_of_small_networks_keep_apart(style: str) -> None:
    models = [
        Sequential([Conv1D(1, 3, input_shape=(8, 1)), MaxPool1D(2), Flatten(), Dense(2)]),
        Sequential([Conv2D(2, 3, input_shape=(6, 6, 1)), MaxPool2D(), Flatten(), Dense(3, activation="softmax")]),
        Sequential([Dense(1, input_shape=(1,))]),
    ]
    for model in models:
        drawing = architecture(model, style)
        left, top, right, bottom = bounds(drawing.items)
        assert left >= 0 and top >= 0 and right <= drawing.width and bottom <= drawing.height
        for one, other in itertools.combinations(texts(drawing), 2):
            (l1, t1, r1, b1), (l2, t2, r2, b2) = text_box(one), text_box(other)
            assert r1 <= l2 or r2 <= l1 or b1 <= t2 + 0.1 or b2 <= t1 + 0.1, (one.text, other.text)


def test_what_cannot_be_drawn_node_by_node_is_named() -> None:
    with pytest.raises(ConfigError, match=r"the input: 28x28x1 .* style blocks"):
        architecture(network("simple-convnet"), "nodes")
    with pytest.raises(ConfigError, match=r"'mean'.*style blocks"):
        architecture(Sequential([GlobalAvgPool2D(input_shape=(4, 4, 2), name="mean")]), "nodes")
    with pytest.raises(ConfigError, match="did you mean 'blocks'"):
        architecture(network("simple-convnet"), "block")
    with pytest.raises(ConfigError, match="input's shape"):
        architecture(Sequential([Dense(2)]))


def test_links_are_plain_data() -> None:
    assert links_of(Conv1D(1, 2), (3, 1))[:2] == (Link(0, 0, 0), Link(1, 0, 1))


# Text


@pytest.mark.parametrize("name", zoo.NAMES)
def test_the_terminal_drawing_fits_80_columns_and_says_the_same(name: str) -> None:
    model = network(name)
    drawn = architecture_text(model)
    lines = drawn.splitlines()
    assert max(map(len, lines)) <= 80
    blocks = blocks_of(model)
    assert drawn.count("┌") == len(blocks)
    assert drawn.count("▼") == sum(not block.apart for block in blocks) - 1
    told = [line.split("│")[-1].split() for line in lines if line.startswith("│")]
    assert sum(int(words[1].replace(",", "")) for words in told if len(words) == 2) == model.count_params()
    assert len({line.rindex("│") for line in lines if line.startswith("│")}) == 1
    assert architecture_text(model, plain=True).isascii()
    assert re.search(r"\b[\d,]+ parameters", lines[0])
