"""What published weights gain on a folder of pictures, beside a photo-net from nothing that gets the same time.

    python benchmarks/pretrained.py --work FOLDER [--network NAME]... [--count 400] [-- ARGUMENTS OF train]

Two folders are made of data sets (found as `pellucid data` finds them): cat, dog, ship and truck of CIFAR-10, 32 x 32
in colour, and Fashion-MNIST, 28 x 28 in grey; `count` pictures a class to learn from and as many to judge by, of which
training sees nothing: a tenth of the others chooses the epoch. Each row is one process: `pellucid train` from the
command to the judged model. Prints a line a row, with the seconds of all cores together, which other work on the
machine changes little and by which times are made equal, and those on the wall; memory is the process's largest.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pellucid import datasets

FOLDERS = {"cifar10": ("cat", "dog", "ship", "truck"), "fashion-mnist": None}
"""Data sets, and which of their classes; None for all."""

TRIED_EPOCHS = 2
"""Epochs of photo-net from which the time of one is reckoned."""


@dataclass(frozen=True)
class Row:
    """What one training came to. Units: memory in MB; cores and epoch are seconds of all cores."""

    accuracy: str
    cores: float
    seconds: float
    memory: int
    epoch: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="an empty folder")
    parser.add_argument("--network", action="append", help="published networks to begin with")
    parser.add_argument("--data", action="append", choices=tuple(FOLDERS))
    parser.add_argument("--count", type=int, default=400, help="pictures a class")
    parser.add_argument("arguments", nargs="*", help="further arguments of `pellucid train --pretrained`")
    options = parser.parse_args()
    for data in options.data or FOLDERS:
        folder = options.work / data
        make_folder(folder, data, FOLDERS[data], options.count)
        budget = 0.0
        for network in options.network or ("efficientnet-lite0", "mobilenet-v2"):
            row = train(folder, options.work / f"{data}-{network}", "--pretrained", network, *options.arguments)
            budget = max(budget, row.cores)
            show(data, network, row)
        tried = train(folder, options.work / f"{data}-tried", "photo-net", "--epochs", str(TRIED_EPOCHS))
        started = tried.cores - TRIED_EPOCHS * tried.epoch
        epochs = max(round((budget - started) / tried.epoch), 1)
        row = train(folder, options.work / f"{data}-photo-net", "photo-net", "--epochs", str(epochs))
        show(data, f"photo-net, {epochs} epochs", row)


def show(data: str, network: str, row: Row) -> None:
    """One line of the table."""
    spent = f"{row.cores:7.1f} s of all cores {row.seconds:7.1f} s"
    print(f"{data:14} {network:24} {row.accuracy:>8} {spent} {row.memory:7,} MB", flush=True)


def make_folder(folder: Path, name: str, classes: tuple[str, ...] | None, count: int) -> None:
    """train/CLASS and test/CLASS with `count` pictures each, as PNG files."""
    data = datasets.load(name)
    for part, split in (("train", data.train), ("test", data.test)):
        for number, label in enumerate(data.class_names):
            if classes is not None and label not in classes:
                continue
            place = folder / part / label.replace("/", "-")
            place.mkdir(parents=True)
            rows = np.flatnonzero(split.labels == number)[:count]
            for row, pixels in zip(rows, np.asarray(split.images)[rows], strict=True):
                Image.fromarray(pixels.squeeze()).save(place / f"{row}.png")


def train(folder: Path, out: Path, *words: str) -> Row:
    """One command, in a process of its own, for pictures that no cache knows."""
    command = [sys.executable, "-m", "pellucid", "train", *words, "--data", str(folder), "--validation", "0.1"]
    for file in folder.rglob("*.png"):
        os.utime(file)
    start = time.perf_counter()
    with open(out.with_name(f"{out.name}.txt"), "w+") as told:
        child = subprocess.Popen([*command, "--out", str(out)], stdout=told, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        text = told.read()
    found = re.search(r"^test accuracy ([\d.]+ %)", text, re.MULTILINE)
    if child.returncode or found is None:
        sys.exit(f"{' '.join(command)}\n{text}")
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    epoch_s = float(np.mean([entry["elapsed_s"] for entry in log if entry["event"] == "epoch"]))
    cores = usage.ru_utime + usage.ru_stime
    return Row(found[1], cores, seconds, usage.ru_maxrss // 1024, epoch_s * cores / seconds)


if __name__ == "__main__":
    main()
