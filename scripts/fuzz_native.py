"""Steps of the compiled kernels with other sizes, arrays and options than they were made with; for fuzz_geometry.py."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from wild_networks import ABSURD, FEW_NUMBERS, Random, batch_for, make_network

from pellucid.ops import native
from pellucid.ops.native import runtime
from pellucid.ops.table import TABLE

sys.path.append(str(Path(__file__).parent.parent / "tests"))


@contextlib.contextmanager
def recorded_steps() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What the steps made inside were given."""
    made: list[tuple[str, dict[str, Any]]] = []
    make = runtime.Step

    class Recorded:
        def __new__(cls, name: str, fields: dict[str, Any]) -> Any:
            made.append((name, fields))
            return make(name, fields)

    runtime.Step = Recorded  # type: ignore[misc, assignment]
    try:
        yield made
    finally:
        runtime.Step = make  # type: ignore[misc]


def any_kernel(rng: Random) -> None:
    """A small step of an operation of the table, whichever it is."""
    from steps import SMALL, Arrays, typical  # of tests/, where it needs the kernels

    op = rng.choice([op for op in TABLE.values() if op.kernel and op.typical])
    typical(op, SMALL)(Arrays(2))


def fuzz_native(rng: Random) -> str:
    if not native.available:
        return "missing"
    with recorded_steps() as made:
        if rng.random() < 0.5:
            any_kernel(rng)
        else:
            model = make_network(rng, 10**9)
            if model.outline().activation_bytes > 4 * FEW_NUMBERS:
                return "large"
            optimizer = rng.choice(("sgd", "adam", "rmsprop", "adagrad", "adadelta"))
            model.compile(optimizer, "categorical_crossentropy")
            x = batch_for(model, rng)
            model.fit(x, np.zeros(len(x), np.int64), batch_size=len(x), verbose=0, doctor=False)
    name, fields = rng.choice(made)
    twins = [other for other_name, other in made if other_name == name]
    copied = {field: value.copy() if isinstance(value, np.ndarray) else value for field, value in fields.items()}
    sizes = [field for field, value in copied.items() if isinstance(value, int)]
    arrays = [field for field, value in copied.items() if isinstance(value, np.ndarray)]
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        kind = rng.randrange(8)
        if kind < 4 and sizes:
            field = rng.choice(sizes)
            near = copied[field] if isinstance(copied[field], int) else 1
            values = (near + 1, near - 1, near * 2, rng.randint(0, 12), *(v for v in ABSURD if type(v) is int))
            copied[field] = rng.choice(values)
        elif kind == 4 and sizes:
            field = rng.choice(sizes)
            copied[field] = rng.choice(twins)[field]
        elif kind == 5 and arrays:
            copied[rng.choice(arrays)] = None
        elif kind == 6 and arrays:
            field = rng.choice(arrays)
            if copied[field] is not None:
                keep = rng.randint(0, copied[field].size)
                copied[field] = copied[field].reshape(-1)[:keep].copy()
        elif arrays:
            field = rng.choice(arrays)
            if copied[field] is not None and copied[field].dtype.kind in "iu":
                copied[field][...] = rng.choice((0, 1, 4, 200, 255, 2**31 - 1, -1, 2**63 - 1)) % 2**8
    if copied.get("ROUNDS", 0) > 10:
        return "large"
    step = runtime._native.Step(name, copied)
    work = math.prod(int(step.sizes.get(field, 1)) for field in ("N", "KH", "KW", "PH", "PW", "WINDOW"))
    if work > 1 << 24 or step.workspace_bytes > 1 << 28:
        return "large"
    if rng.random() < 0.5:
        runtime._native.run(step)
    else:
        runtime._native.Program([step], rng.random() < 0.5).run(rng.choice((-1, 0, 1, step.batch)))
    return "run"
