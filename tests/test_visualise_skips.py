"""Skip connections in the drawing of blocks: lines above the boxes, to where their values are added."""

from __future__ import annotations

import pytest
from drawn_shapes import bounds

from pellucid import zoo
from pellucid.visualise.architecture.blocks import draw_blocks
from pellucid.visualise.architecture.data import blocks_of
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
