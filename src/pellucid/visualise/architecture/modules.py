"""Boxes of a long network, grouped: what one value enters and one value leaves becomes one box."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pellucid.visualise.architecture.data import MODULE, Block

MANY = 40
"""Boxes that are drawn one by one; of more, modules are drawn."""
LARGEST = 12
"""Boxes of a module; what is longer between two cuts has skip connections that want to be seen."""
LISTED = 4
"""Boxes of a module that are written one by one; of more, each kind is counted."""
_MERGED = {"+": "sum", "*": "product"}


def modules_of(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """A box for each module: a residual block, an inception, a layer of a dense block; all others as they are.

    A module lies between two boxes where a single value passes; so does a chain whose boxes have a name in common:
    block4_expand, block4_depthwise, block4_project.
    """
    groups = list(_chained([group for segment in _segments(blocks) for group in _of_size(segment)], blocks))
    numbers = {place: number for number, group in enumerate(groups) for place in group}
    made = []
    for group in groups:
        first = blocks[group[0]]
        entries, merges = (tuple(numbers[i] for i in of) for of in (first.entries, first.merges))
        alone = len(group) == 1
        made.append(replace(first, entries=entries, merges=merges) if alone else _module([blocks[i] for i in group]))
    read_far = {source for block in made for source in (*block.entries, *block.merges)}
    return tuple(replace(block, branches=number in read_far) for number, block in enumerate(made))


def _segments(blocks: Sequence[Block]) -> list[list[int]]:
    """The numbers of the boxes, parted where nothing but one box's value goes on."""
    far = [(i, place) for place, block in enumerate(blocks) for i in (*block.entries, *block.merges)]
    segments: list[list[int]] = [[]]
    for place in range(len(blocks)):
        segments[-1].append(place)
        last = place == len(blocks) - 1
        if not last and not blocks[place + 1].apart and not any(i < place < target for i, target in far):
            segments.append([])
    return segments


def _of_size(segment: list[int]) -> list[list[int]]:
    return [segment] if len(segment) <= LARGEST else [[place] for place in segment]


def _chained(groups: Sequence[list[int]], blocks: Sequence[Block]) -> Iterator[list[int]]:
    """Groups in a row whose boxes' names begin alike as one."""
    for stem, part in itertools.groupby(groups, key=lambda group: _stem([blocks[i].name for i in group])):
        row = list(part)
        whole = [place for group in row for place in group]
        yield from [whole] if stem and len(whole) <= LARGEST else row


def _stem(names: Sequence[str]) -> str:
    """The words that names have in common, of one name all but the last where that is no number; "" for none.

    >>> _stem(["block1_2_conv1", "block1_2_conv2"]), _stem(["block4_expand"]), _stem(["conv_2"])
    ('block1_2', 'block4', '')
    """
    words = [name.split("_") for name in names]
    if len(words) == 1:
        return "" if words[0][-1][:1].isdigit() else "_".join(words[0][:-1])
    alike = itertools.takewhile(lambda column: len(set(column)) == 1, zip(*words, strict=False))
    return "_".join(column[0] for column in alike)


def _module(parts: Sequence[Block]) -> Block:
    """Several boxes as one, over what they are."""
    names = [part.name for part in parts]
    sums = {note[0] for part in parts for note in part.notes if part.merges and note[:2] in ("+ ", "* ")}
    words = [f"beside: {part.what}" if part.apart else part.what for part in parts]
    if len(parts) > LISTED:
        words = [f"{count} x {what}" if count > 1 else what for what, count in Counter(p.what for p in parts).items()]
    return Block(
        _stem(names) or f"{names[0]} … {names[-1]}",
        MODULE,
        parts[-1].shape,
        "block",
        (*(part for what in words for part in what.split(", ")), *(_MERGED[sign] for sign in sorted(sums))),
        sum(part.parameters for part in parts),
        flattened=parts[-1].flattened,
    )
