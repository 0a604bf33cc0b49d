"""How cost grows with batch, picture, channels and threads; ours beside PyTorch in channels_last where it is installed.

    python benchmarks/growth.py [--rounds 3] [--fresh] [--draw] [--write]

One 3x3 convolution of C to C channels (64 channels, 28x28 or 56x56 pixels, where they do not vary), forward, and in
training with its gradients of input, kernel and bias; and cifar-net by batch and by threads. One worker process a
framework makes every point, in turn, the quickest of --rounds medians each. Points go to growth.json in the results of
the instruction set in use, pictures to docs/images/growth-*.svg (--draw: only drawn, from that file).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np
from contenders import Task, make, median_ms, own_stdout
from workers import PAUSE_S, Worker, launch

RESULTS = machine.RESULTS / "growth.json"
IMAGES = machine.HERE.parent / "docs" / "images"
KINDS = {"pellucid": "Pellucid", "torch": "PyTorch, channels_last"}
TIMED_S, MOST_STEPS = 0.15, 50


@dataclass(frozen=True)
class Point:
    """What is timed. what: "conv" or a network; work: "infer" or "train"; size and channels of the convolution."""

    what: str
    work: str
    threads: int
    batch: int = 8
    size: int = 56
    channels: int = 64


@dataclass(frozen=True)
class Curve:
    """One picture: its name, the field that varies with its values, and what is timed at which size."""

    name: str
    title: str
    vary: str
    label: str
    values: tuple[int, ...]
    what: str
    size: int = 56

    def points(self, cores: int) -> list[Point]:
        """Inference (forward) and training at each value."""
        counts = [value for value in self.values if self.vary != "threads" or value <= cores]
        held = {"threads": cores, "batch": 128 if self.vary == "threads" else 8, "size": self.size}
        return [Point(self.what, work, **{**held, self.vary: n}) for work in ("infer", "train") for n in counts]


SIZES = (28, 56, 84, 112, 168, 224)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
CHANNELS = (8, 16, 30, 32, 46, 64, 72, 128, 256, 512)
THREADS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
CURVES = (
    Curve("conv-batch", "3x3 convolution, 28x28 pixels, 64 channels", "batch", "batch (pictures)", BATCHES, "conv", 28),
    Curve("conv-picture", "3x3 convolution, 64 channels, batch 8", "size", "picture (pixels a side)", SIZES, "conv"),
    Curve(
        "conv-channels",
        "3x3 convolution, 28x28 pixels, batch 8",
        "channels",
        "channels in and out",
        CHANNELS,
        "conv",
        28,
    ),
    Curve(
        "conv-threads", "3x3 convolution, 56x56 pixels, 64 channels, batch 128", "threads", "threads", THREADS, "conv"
    ),
    Curve("cifar-net-batch", "cifar-net", "batch", "batch (pictures)", BATCHES, "cifar-net"),
    Curve("cifar-net-threads", "cifar-net, batch 128", "threads", "threads", THREADS, "cifar-net"),
)


def flops(point: Point) -> float:
    """Of a direct convolution: forward, and twice as many again for the two gradients."""
    forward = 2.0 * point.batch * point.size**2 * 9 * point.channels**2
    return forward if point.work == "infer" else 3 * forward


def conv_pellucid(point: Point) -> Callable[[], Any]:
    """The kernels of one convolution as one native program."""
    from pellucid import ops
    from pellucid.ops import native
    from pellucid.ops.memory import aligned_zeros

    ops.set_num_threads(point.threads)
    shape, channels = (point.batch, point.size, point.size, point.channels), point.channels
    rng = np.random.default_rng(0)

    def filled(*sizes: int) -> Any:
        array = aligned_zeros(sizes)
        rng.standard_normal(dtype=np.float32, out=array)
        return array

    x, y, kernel, bias = filled(*shape), aligned_zeros(shape), filled(3, 3, channels, channels), filled(channels)
    same: dict[str, Any] = {"strides": (1, 1), "padding": ((1, 1), (1, 1))}
    steps = [native.conv2d(x, kernel, bias, y, **same)]
    if point.work == "train":
        dy, dx, dkernel = filled(*shape), aligned_zeros(shape), aligned_zeros(kernel.shape)
        steps.append(native.conv2d_backward_kernel(x, dy, dkernel, **same))
        steps.append(native.bias_backward(dy, aligned_zeros((channels,))))
        steps.append(native.conv2d_backward_input(dy, kernel, dx, **same))
    program = native.Program(steps)
    return lambda: program.run()


def conv_torch(point: Point) -> Callable[[], Any]:
    """The same in PyTorch."""
    import torch

    torch.set_num_threads(point.threads)
    layer = torch.nn.Conv2d(point.channels, point.channels, 3, padding=1).to(memory_format=torch.channels_last)
    x = torch.randn(point.batch, point.channels, point.size, point.size).contiguous(memory_format=torch.channels_last)
    if point.work == "infer":

        def infer() -> None:
            with torch.inference_mode():
                layer(x)

        return infer
    x.requires_grad_()
    dy = torch.randn(x.shape).contiguous(memory_format=torch.channels_last)

    def train() -> None:
        layer.zero_grad()
        x.grad = None
        layer(x).backward(dy)

    return train


def time_point(kind: str, point: Point) -> float:
    """Milliseconds a step, by this process."""
    if point.what == "conv":
        step = (conv_pellucid if kind == "pellucid" else conv_torch)(point)
    else:
        name = "torch-channels_last" if kind == "torch" else kind
        step = make(name, Task(point.what, point.work, point.batch, point.threads)).step
    for _ in range(2):
        step()
    first_ms = median_ms(step, 1)
    return median_ms(step, min(MOST_STEPS, max(1, int(1e3 * TIMED_S / first_ms))))


def serve(kind: str) -> None:
    """Answer points with times until the input ends."""
    channel = own_stdout()
    print(json.dumps({}), file=channel, flush=True)
    for line in sys.stdin:
        print(json.dumps(time_point(kind, Point(**json.loads(line)))), file=channel, flush=True)


def ask(worker: Worker, point: Point) -> float:
    assert worker.process.stdin and worker.process.stdout
    time.sleep(PAUSE_S)
    worker.process.stdin.write(json.dumps(asdict(point)) + "\n")
    worker.process.stdin.flush()
    answer = worker.process.stdout.readline()
    if not answer:
        raise SystemExit(f"{worker.name} ended at {point}; was there enough memory?")
    return float(json.loads(answer))


def measure(curve: Curve, workers: Sequence[Worker], cores: int, rounds: int) -> dict[str, Any]:
    """Milliseconds of every point of a curve, by framework and work; the quickest of the rounds."""
    points = curve.points(cores)
    best: dict[str, list[float]] = {worker.name: [float("inf")] * len(points) for worker in workers}
    for _ in range(rounds):
        for i, point in enumerate(points):
            for worker in workers:
                best[worker.name][i] = min(best[worker.name][i], ask(worker, point))
    return {
        "title": curve.title,
        "rounds": rounds,
        "points": [
            {**asdict(point), "ms": {name: round(times[i], 4) for name, times in best.items()}}
            for i, point in enumerate(points)
        ],
    }


def rate(curve: Curve, point: dict[str, Any], ms: float) -> float:
    """What a picture shows: GFLOP/s of a direct convolution, or pictures a second of a network."""
    if curve.what == "conv":
        return flops(Point(**{name: point[name] for name in Point.__dataclass_fields__})) / ms / 1e6
    return 1e3 * float(point["batch"]) / ms


def draw(curve: Curve, found: dict[str, Any], path: Path) -> None:
    """One panel for inference and one for training; dashes, marks and words tell the curves apart in grey."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": curve.name, "font.size": 9})
    from matplotlib import pyplot
    from matplotlib.ticker import NullLocator

    figure, panels = pyplot.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    styles = {"pellucid": ("-", "o", "black"), "torch": ("--", "s", "0.45")}
    works = (("infer", "forward" if curve.what == "conv" else "inference"), ("train", "training"))
    for panel, (work, word) in zip(panels, works, strict=True):
        points = [point for point in found["points"] if point["work"] == work]
        values = [point[curve.vary] for point in points]
        for kind, (line, mark, colour) in styles.items():
            if points and kind in points[0]["ms"]:
                heights = [rate(curve, point, point["ms"][kind]) for point in points]
                panel.plot(values, heights, line, marker=mark, color=colour, markersize=4, label=KINDS[kind])
        if curve.vary != "threads":
            panel.set_xscale("log", base=2)
            panel.xaxis.set_minor_locator(NullLocator())
        named = [
            value for value in values if curve.vary != "channels" or value & (value - 1) == 0
        ]  # others are too near
        panel.set_xticks(named, [str(value) for value in named], rotation=45 if len(named) > 8 else 0)
        panel.set_ylim(bottom=0)
        panel.set_xlabel(curve.label)
        panel.set_ylabel("GFLOP/s, counted as direct" if curve.what == "conv" else "pictures a second")
        panel.set_title(word, fontsize=9)
        panel.grid(color="0.9", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(found["title"], fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="curves, with commas between: " + ", ".join(c.name for c in CURVES))
    parser.add_argument("--fresh", action="store_true", help="measure again what is there already")
    parser.add_argument("--draw", action="store_true", help="only draw what has been measured")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md afterwards")
    parser.add_argument("--serve", metavar="KIND", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    chosen = [curve for curve in CURVES if not options.only or curve.name in options.only.split(",")]
    if options.draw:
        rows = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else {}
    else:
        rows = measure_all(chosen, options.rounds, fresh=options.fresh)
    for curve in chosen:
        if curve.name in rows:
            draw(curve, rows[curve.name], IMAGES / f"growth-{curve.name}-{RESULTS.parent.name}.svg")
    if options.write:
        import results

        results.write()


def measure_all(curves: Sequence[Curve], rounds: int, *, fresh: bool) -> dict[str, Any]:
    """The chosen curves; those that are in the file come from there."""
    about = machine.describe()
    stored, cores = machine.Stored(RESULTS, about), about["processor"]["cores"]
    missing = [curve for curve in curves if fresh or stored.get(curve.name) is None]
    kinds = [kind for kind in KINDS if kind == "pellucid" or importlib.util.find_spec(kind)]
    workers = [launch(kind, ["growth.py", "--serve", kind], cores) for kind in kinds] if missing else []
    ready = [worker for worker in workers if worker.ready()]
    for curve in missing:
        start = time.perf_counter()
        stored.put(curve.name, measure(curve, ready, cores, rounds))
        print(f"{curve.name}: {time.perf_counter() - start:.0f} s", flush=True)
    for worker in ready:
        worker.close()
    return stored.rows


if __name__ == "__main__":
    main()
