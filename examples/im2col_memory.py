"""What im2col costs in memory: a batch of digits as columns, against a convolution that reads the pictures themselves.

im2col writes every pixel once for each window that sees it, K x K times at stride 1, so that one matrix product does
the convolution. The kernels of this package add up the same products where the pixels lie. Both are measured: the
largest amount of memory that NumPy's arrays take at any moment (not what a kernel keeps for itself), and the time; and
both answer the same up to rounding.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from drawing import digits, finish, new_figure, options, plain

from pellucid.scratch import Convolution, im2col
from pellucid.visualise.drawing.figure import BLUE, INK, VERMILION

SIZES = (1, 3, 5, 7, 9, 11)
FILTERS = 30
MIB = 2**20


def by_columns(x: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Convolution as the book computes it: columns, one matrix product, and back into pictures."""
    number, _, height, width = filters.shape
    size = x.shape[2] - height + 1
    rows = im2col(x, height, width) @ filters.reshape(number, -1).T
    return rows.reshape(len(x), size, size, number).transpose(0, 3, 1, 2)


def measured(compute: Callable[[], np.ndarray]) -> tuple[np.ndarray, float, float]:
    """(the answer, MiB of arrays at most, milliseconds): memory in one pass, the best time of three others."""
    tracemalloc.start()
    answer = compute()
    most = tracemalloc.get_traced_memory()[1] / MIB
    tracemalloc.stop()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        compute()
        times.append(time.perf_counter() - start)
    return answer, most, min(times) * 1e3


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--batch", type=int, default=100, help="pictures at once (default 100)")
    given = parser.parse_args()
    images = digits(given.quick, 2000)[0][: given.batch]
    x = images.transpose(0, 3, 1, 2) / np.float32(255)
    rng = np.random.default_rng(0)

    print(f"{len(x)} pictures of 28x28 are {x.nbytes / MIB:.1f} MiB; {FILTERS} filters, stride 1, no padding")
    print("filter   columns      im2col: memory, time      direct: memory, time")
    memory: dict[str, list[float]] = {"columns": [], "im2col": [], "direct": []}
    for size in SIZES:
        filters = rng.normal(size=(FILTERS, 1, size, size)).astype(np.float32)
        layer = Convolution(filters, np.zeros(FILTERS))
        columns = im2col(x, size, size).nbytes / MIB
        long_way, most, slow = measured(lambda filters=filters: by_columns(x, filters))  # type: ignore[misc]
        direct, least, fast = measured(lambda layer=layer: layer.forward(x))  # type: ignore[misc]
        np.testing.assert_allclose(direct, long_way, atol=1e-4)
        print(
            f"{size:>2}x{size:<2} {columns:>8.1f} MiB {most:>12.1f} MiB {slow:>6.1f} ms"
            f" {least:>11.1f} MiB {fast:>6.1f} ms"
        )
        for name, value in zip(memory, (columns, most, least), strict=True):
            memory[name].append(value)
    five = SIZES.index(5)
    times = memory["columns"][five] * MIB / x.nbytes
    print(
        f"at 5x5 the columns take {times:.1f} times the memory of the pictures, 25 windows less what the edges cut off"
    )
    print("the page's own im2col makes float64 of float32, and takes twice that")

    figure = new_figure(6.8, 4.4)
    ax = figure.subplots()
    places = np.arange(len(SIZES))
    bars = (
        (-0.2, memory["im2col"], VERMILION, "", "im2col: columns and answer"),
        (0.2, memory["direct"], BLUE, "//", "direct: the answer"),
    )
    for offset, values, colour, hatch, label in bars:
        drawn = ax.bar(places + offset, values, 0.38, color=colour, hatch=hatch, edgecolor="white", label=label)
        ax.bar_label(drawn, fmt="%.1f", fontsize=8, padding=2)
    ax.axhline(x.nbytes / MIB, color=INK, linewidth=1, linestyle=":", label="the pictures")
    ax.set_xticks(places, [f"{size}x{size}" for size in SIZES])
    ax.set_xlabel("filter")
    ax.set_ylabel("memory at most (MiB)")
    plain(ax)
    ax.margins(y=0.12)
    ax.legend(frameon=False, fontsize=9)
    ax.set_title(f"{len(x)} digits of 28x28, {FILTERS} filters: what a convolution takes", fontsize=11, color=INK)
    finish(figure, given.out, "im2col_memory.png")


if __name__ == "__main__":
    main()
