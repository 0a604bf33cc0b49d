"""What transfer gains: a few photographs, learned from nothing and on the features of a network for other classes.

    python benchmarks/transfer.py --source cifar-10/images.tar.gz --work FOLDER

A photo-net learns seven classes of CIFAR-10 (found as `pellucid data` finds it). Then three classes it has never seen
are to be learned from a folder of few pictures a class, made by scripts/make_photo_folder.py, and judged on another
folder: from nothing, on frozen features, and with the last two blocks thawed. Prints one line a row; times are the
process's seconds on the wall and on all cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from pellucid import datasets, zoo
from pellucid.cli import main as pellucid

NEW = ("cat", "dog", "horse")
ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="CIFAR-10 as a tar of JPEG files")
    parser.add_argument("--work", type=Path, required=True, help="an empty folder")
    parser.add_argument("--count", type=int, default=50, help="pictures a class to learn from")
    parser.add_argument("--source-epochs", type=int, default=8)
    options = parser.parse_args()
    work = options.work
    weights = work / "seven-classes.safetensors"
    learn_other_classes(weights, options.source_epochs)
    for name, split, count in (("photos", "train", options.count), ("held", "test", 300)):
        maker = [sys.executable, str(ROOT / "scripts" / "make_photo_folder.py"), str(work / name)]
        subprocess.run(
            [*maker, "--source", str(options.source), "--split", split, "--count", str(count), "--classes", *NEW],
            check=True,
        )
    data = ["--data", work / "photos", "--validation", work / "held", "--quiet"]
    head = ["--freeze", "features", "--augment", "none", "--epochs", 100, "--lr", 0.01]
    blocks = ["--freeze", "conv[1-3]", "--freeze", "norm[1-3]", "--epochs", 30, "--lr", 0.0003]
    stages = {
        "from nothing": ["photo-net", "--size", 32, "--epochs", 60],
        "frozen features": ["--weights", weights, *head],
        "last two blocks": ["--weights", work / "frozen-features", *blocks],
    }
    for name, words in stages.items():
        out = work / name.replace(" ", "-")
        wall, cores = time.perf_counter(), time.process_time()
        status = pellucid([str(word) for word in ["train", *words, *data, "--out", out]])
        assert status == 0, name
        log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
        last = [entry for entry in log if entry["event"] == "epoch"][-1]
        print(
            f"{name:18} {last['val_accuracy']:.1%} after the last epoch, {time.perf_counter() - wall:.1f} s, "
            f"{time.process_time() - cores:.1f} s on all cores"
        )


def learn_other_classes(weights: Path, epochs: int) -> None:
    """Train a photo-net on the classes of CIFAR-10 that are not to be learned later."""
    data = datasets.load("cifar10")
    names = [name for name in data.class_names if name not in NEW]
    numbers = np.array([names.index(name) if name in names else -1 for name in data.class_names])
    labels = numbers[data.train.labels]
    kept = np.flatnonzero(labels >= 0)
    model = zoo.photo_net((32, 32, 3), len(names))
    model.class_names = tuple(names)
    model.trained_on = {"data": f"{len(names)} classes of cifar10"}
    model.compile("adam", "sparse_categorical_crossentropy")
    images = np.asarray(data.train.images)[kept]
    history = model.fit(images, labels[kept], batch_size=64, epochs=epochs, verbose=0)
    print(f"source: {len(kept):,} pictures of {len(names)} classes, accuracy {history['accuracy'][-1]:.1%} in training")
    model.save(weights)


if __name__ == "__main__":
    main()
