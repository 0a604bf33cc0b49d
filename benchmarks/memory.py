"""Peak resident memory of each seed network beside PyTorch's, and what the plan says it will be.

    python benchmarks/memory.py [--only simple-convnet,vgg16] [--work train|infer]

One process a measurement, with the libraries loaded and warmed up on a tiny network, and the pictures made, before the
count begins. The peak is the highest resident size after three steps, less the resident size before the model was
built; for inference, ours is while parameters are laid out (the largest kernel twice), so "running" counts from after
that. PyTorch is measured eager and in channels_last, with fused Adam, under glibc's own malloc settings.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import contenders
from peers import ROWS, THREADS, Row

STEPS = 3
MB = 2**20


def status(name: str) -> int:
    """A line of /proc/self/status in bytes: VmRSS, VmHWM."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def restart_peak() -> int:
    """Resident bytes now; the peak is counted from here on."""
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def peak_of(kind: str, row: Row) -> tuple[int, int, int]:
    """(growth of this process, growth with the model there, what the plan said it would be, or 0)."""
    pictures, labels = contenders.data(row.network, row.batch)
    return (pellucid_peak if kind == "pellucid" else torch_peak)(row, kind, pictures, labels)


def pellucid_peak(row: Row, kind: str, pictures: Any, labels: Any) -> tuple[int, int, int]:
    """Ours, from the building of the model to the third step."""
    from pellucid import ops, zoo
    from pellucid.plan import Feed, InferencePlan, TrainingPlan

    ops.set_num_threads(THREADS)
    shape, classes = contenders.SHAPES[row.network]

    def steps(network: str, picture: Any, count: int, x: Any, y: Any) -> tuple[int, int]:
        model = zoo.build(network, input_shape=picture, classes=count)
        model.compile("adam", "categorical_crossentropy")
        told = model.memory(len(x))
        built = status("VmHWM")
        restart_peak()
        if row.work == "infer":
            plan = InferencePlan(model.layers, model.parameters, input_shape=picture, capacity=len(x))
            for _ in range(STEPS):
                plan.inputs[...] = x
                plan.run(len(x))
            return built, told.inference.total
        model.prepare_slots()
        ones = pictures[0, 0, 0] * 0 + 1
        feed = Feed(x, y, None, capacity=len(x), picture=picture, scale=ones, offset=0 * ones)
        parts = {"loss": model.loss, "optimizer": model.optimizer, "slots": model.slots, "feed": feed}
        training = TrainingPlan(model.layers, model.parameters, **parts, seed=0, accuracy="categorical")
        for step in range(STEPS):
            training.run(len(x), step=step, learning_rate=0.001)
        assert told.training is not None
        return built, told.training.total

    tiny = (28, 28, shape[-1])
    steps("simple-convnet", tiny, 10, pictures[:2, :28, :28], labels[:2] % 10)
    before = restart_peak()
    built, planned = steps(row.network, shape, classes, pictures, labels)
    running = status("VmHWM")
    return max(built, running) - before, running - before, planned


def torch_peak(row: Row, kind: str, pictures: Any, labels: Any) -> tuple[int, int, int]:
    """PyTorch's, in one of its modes."""
    import torch
    import torch_contender
    from torch import nn

    torch.set_num_threads(THREADS)
    layout = torch.channels_last if kind == "torch-channels-last" else torch.contiguous_format

    def steps(model: Any, x: Any, y: Any) -> None:
        model = model.to(memory_format=layout)
        if row.work == "infer":
            model.eval()
            with torch.inference_mode():
                for _ in range(STEPS):
                    model(x)
            return
        optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
        for _ in range(STEPS):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    y = torch.from_numpy(labels).long()
    tiny = nn.Sequential(nn.Conv2d(x.shape[1], 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1352, 10))
    steps(tiny, x[:2, :, :28, :28].contiguous(memory_format=layout), y[:2] % 10)
    before = restart_peak()
    steps(torch_contender.build(row.network), x, y)
    growth = status("VmHWM") - before
    return growth, growth, 0


def measure(kind: str, row: Row) -> tuple[int, int, int]:
    """In a fresh process."""
    command = [sys.executable, __file__, "--one", kind, row.network, row.work, str(row.batch)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    growth, running, planned = map(int, result.stdout.split())
    return growth, running, planned


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="networks, with commas between")
    parser.add_argument("--work", default="", help="train or infer")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        kind, network, work, batch = options.one
        print(*peak_of(kind, Row(network, work, int(batch), STEPS, 0.0)))
        return
    kinds = ["pellucid"]
    if importlib.util.find_spec("torch"):
        kinds += ["torch-eager", "torch-channels-last"]
    print(
        f"{'network':15} {'work':6} {'batch':>5} {'planned':>9} " + " ".join(f"{kind:>19}" for kind in kinds) + "  MB"
    )
    for row in ROWS:
        if (options.only and row.network not in options.only.split(",")) or options.work not in ("", row.work):
            continue
        found = [measure(kind, row) for kind in kinds]
        print(
            f"{row.network:15} {row.work:6} {row.batch:5} {found[0][2] / MB:9.1f} {found[0][1] / MB:9.1f} "
            + " ".join(f"{growth / MB:19.1f}" for growth, _, _ in found),
            flush=True,
        )


if __name__ == "__main__":
    main()
