"""Skip connections in the drawing of blocks: lines above the boxes, to where their values are added."""

from __future__ import annotations

import pytest
from drawn_shapes import bounds

from pellucid import Model, Sequential, layers, zoo
from pellucid.visualise import architecture_svg
from pellucid.visualise.architecture.blocks import draw_blocks
from pellucid.visualise.architecture.data import blocks_of, columns_of, names_of
from pellucid.visualise.architecture.modules import LARGEST, MANY, modules_of
from pellucid.visualise.architecture.skips import SUM, Skip, levels_of, skips_of
from pellucid.visualise.drawing.canvas import Circle, Line, Polygon


def test_skip_connections_are_lines_above_the_boxes_to_where_they_are_added() -> None:
    """resnet20: nine additions; two shortcuts with weights are entered by a line of their own."""
    model = zoo.build("resnet20")
    blocks = blocks_of(model)
    skips = skips_of(blocks)
    assert [skip.merged for skip in skips].count(True) == 9 and [skip.merged for skip in skips].count(False) == 2
    numbers = {block.name: number for number, block in enumerate(blocks)}
    assert Skip(numbers["conv"], numbers["block1_1_conv2"], merged=True) in skips
    assert Skip(numbers["block1_3_conv2"], numbers["block2_1_shortcut"], merged=False) in skips
    drawing = draw_blocks(model)
    circles = [item for item in drawing.items if isinstance(item, Circle) and item.radius == SUM]
    assert len(circles) == 9
    ends = [item.points[0] for item in drawing.items if isinstance(item, Polygon) and len(item.points) == 3]
    for circle in circles:
        assert any(x == circle.x and y == pytest.approx(circle.y - SUM) for x, y in ends), "a line comes from above"
    faces = [item for item in drawing.items if isinstance(item, Polygon) and item.tip]
    for line in (item for item in drawing.items if isinstance(item, Line) and len(item.points) > 2):
        (x0, y), (x1, _) = line.points[1:3] if len(line.points) > 3 else line.points[-2:]
        boxes = [bounds([face]) for face in faces]
        assert not any(top < y < bottom and left < x1 and x0 < right for left, top, right, bottom in boxes)


def test_lines_above_boxes_do_not_run_into_each_other() -> None:
    skips = [Skip(0, 4, merged=True), Skip(1, 2, merged=True), Skip(2, 3, merged=False), Skip(4, 9, merged=True)]
    assert levels_of(skips, 0, 5) == {skips[1]: 0, skips[2]: 0, skips[0]: 1, skips[3]: 0}
    assert levels_of(skips, 5, 7) == {skips[3]: 0} and levels_of(skips, 10, 12) == {}


def test_modules_lie_between_the_boxes_where_one_value_passes() -> None:
    """A long network is drawn by its residual blocks, inceptions and dense layers, with all of its parameters."""
    labels = {
        "mobilenet-v2": ["block1", "block2", "block3", "block4", "block5-6", "block7", "block8-10", "block11"],
        "googlenet": ["conv1", "conv2_reduce", "conv2", "inception3a-b", "inception4a-e", "inception5a-b"],
        "densenet121": ["block1_1-6", "transition1", "block2_1-12", "transition2", "block3_1-24", "transition3"],
        "resnet50": ["block1_1", "block1_2-3", "block2_1", "block2_2-4", "block3_1", "block3_2-6", "block4_1"],
    }
    for name, expected in labels.items():
        model = zoo.build(name)
        blocks = blocks_of(model)
        modules = modules_of(blocks)
        assert len(blocks) > MANY > len(columns_of(modules))
        assert sum(block.parameters for block in modules) == model.count_params()
        assert not any(block.entries or block.merges or block.branches for block in modules)
        stacks = [
            names_of([block for block in column if block.kind != "pooling"]) for column in columns_of(modules)[:-2]
        ]
        assert [stack for stack in stacks if stack in expected] == expected
        drawn = architecture_svg(model)
        assert drawn == architecture_svg(model, "modules") != architecture_svg(model, "blocks")


def test_a_module_says_what_is_in_it() -> None:
    found = {block.name: block for block in modules_of(blocks_of(zoo.build("mobilenet-v2")))}
    expected = ("conv 1x1", "depthwise conv 3x3", "conv 1x1")
    assert found["block3"].notes == (*expected, "sum") and found["block11"].notes == expected
    assert found["block3"].shape == (56, 56, 24) and found["block3"].kind == "module"
    resnet = {block.name: block for block in modules_of(blocks_of(zoo.build("resnet18")))}
    assert resnet["block2_1"].notes == ("conv 3x3", "stride 2", "conv 3x3", "beside: conv 1x1", "stride 2", "sum")
    inception = {block.name: block for block in modules_of(blocks_of(zoo.build("googlenet")))}["inception3a"]
    assert inception.notes[:2] == ("4 x conv 1x1", "2 x conv 3x3") and "Concatenate" in inception.notes


def test_boxes_that_are_no_module_stay_as_they_are() -> None:
    """A chain of names of its own, and what lies between two cuts and is too long to be one box."""
    chain = [layers.Conv2D(2, 1, name=f"conv_{number}") for number in range(5)]
    model = Sequential([layers.Input((8, 8, 1)), *chain])
    assert modules_of(blocks_of(model)) == blocks_of(model)
    x = inputs = layers.Input((8, 8, 1))
    for number in range(LARGEST + 1):
        x = layers.Conv2D(1, 1, name=f"a{number}")(x)
    long = Model(inputs, layers.Add(name="skip")([x, inputs]))
    assert modules_of(blocks_of(long)) == blocks_of(long)
