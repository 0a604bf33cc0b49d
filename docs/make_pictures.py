"""Makes the pictures of the README, by training for real.

Run: python docs/make_pictures.py        (MNIST: about a minute; it is downloaded unless PELLUCID_DATA has it)
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from pellucid.cli import main
from pellucid.model_file import load
from pellucid.visualise import filters_figure, write_figure

IMAGES = Path(__file__).parent / "images"
TRAIN = "train simple-convnet --data mnist --epochs 5 --batch-size 100 --optimizer adam --lr 0.001"


def make() -> None:
    """Train on MNIST and draw the first convolution before and after."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        if main([*TRAIN.split(), "--out", str(run)]) != 0:
            raise SystemExit("training failed; see above")
        with np.load(run / "snapshots" / "epoch-000.npz") as snapshot:
            before = snapshot["filters"]
        layer = load(run).layers[0]
        figure = filters_figure(layer.params["kernel"], before=before, name=f"{layer.name}, MNIST", scale="each")
        write_figure(figure, IMAGES / "filters.png")


if __name__ == "__main__":
    make()
