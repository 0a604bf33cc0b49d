"""Numbers of layers and models in the order in which they are made, by which Keras names those without a name."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

_counters: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)


def next_number(kind: str) -> int:
    """How many of this kind were made before in this process."""
    return next(_counters[kind])


def start_anew() -> None:
    """Number those made from now on from 0."""
    _counters.clear()
