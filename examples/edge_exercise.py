"""The exercise of seed 002: a 2x2 kernel that finds the edge of the turned picture, bright above and dark below.

Several answers are tried; each gets a verdict that says what is wrong with it. Your own: --kernel 1 1 -1 -1
"""

from __future__ import annotations

import numpy as np
from drawing import draw_map, finish, new_figure, options

from pellucid.exercises import check_edge_kernel, two_halves

TRIED = {
    "the answer": [[1, 1], [-1, -1]],
    "its negative": [[-1, -1], [1, 1]],
    "the old edge kernel": [[-1, 1], [-1, 1]],
    "averaging": [[0.25, 0.25], [0.25, 0.25]],
    "only one column": [[1, 0], [-1, 0]],
    "along a diagonal": [[1, 0], [0, -1]],
    "a sum that is not 0": [[1, 1], [-1, 0]],
}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--kernel", type=float, nargs=4, metavar="W", help="your kernel, row by row")
    parser.add_argument("--lang", choices=("en", "ko"), default="en", help="language of the verdicts")
    given = parser.parse_args()
    tried = {"yours": [given.kernel[:2], given.kernel[2:]]} if given.kernel else TRIED

    columns = min(4, len(tried) + 1)
    rows = -(-(len(tried) + 1) // columns)
    figure = new_figure(3.1 * columns, 3.1 * rows)
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in places:
        ax.set_axis_off()
    draw_map(places[0], two_halves().T, "the picture, 50x50\nwhich kernel finds its edge?")
    for ax, (name, kernel) in zip(places[1:], tried.items(), strict=False):
        verdict = check_edge_kernel(kernel, lang=given.lang)
        print(f"{name} {kernel}: {verdict}")
        if verdict.response is not None:
            limit = float(np.abs(verdict.response).max())
            mark = "finds it" if verdict else "does not"
            draw_map(ax, verdict.response, f"{name}: {mark}\n{kernel}", low=-limit, high=limit)
    figure.suptitle("Answers of 2x2 kernels to an edge between above and below (mid-grey is 0)", fontsize=11)
    finish(figure, given.out, "edge_exercise.png")


if __name__ == "__main__":
    main()
