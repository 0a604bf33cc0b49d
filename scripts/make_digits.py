"""Make src/pellucid/datasets/digits.npz anew from the copy of the UCI digits that scikit-learn ships.

usage: python scripts/make_digits.py    (needs scikit-learn; the package itself never does)

The file holds the 1,797 pictures of the original's test set, 8 x 8 with values 0 to 16, as round(value * 255 / 16), and
the rows that are kept for testing: 360 of them, of each digit its share.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits  # type: ignore[import-untyped]

from pellucid.datasets.digits import SOURCE
from pellucid.datasets.labels import stratified_split

TEST_PICTURES = 360
TARGET = Path(__file__).parents[1] / "src" / "pellucid" / "datasets" / "digits.npz"


def main() -> None:
    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.uint8)
    _, test_rows = stratified_split(labels, TEST_PICTURES / len(labels), seed=0)
    np.savez_compressed(
        TARGET, images=images, labels=labels, test_rows=test_rows.astype(np.uint16), source=np.array(SOURCE)
    )
    print(f"{TARGET}: {len(images)} pictures, {len(test_rows)} for testing, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
