"""Fuzz every number that says how large something is: `python scripts/fuzz_geometry.py [PART…] [--seconds S]`.

Ordinary and absurd sizes, strides, paddings and counts, wherever they come in. Each input is either refused by
one of Pellucid's own errors, in a short line, or answered; what is answered is compared with the NumPy reference, so it
must be right too, not only not crash. PART is one or several of (all, in turn, if none is named)

    layers   networks of one to three layers: built, summarised, run on a batch, trained for a step
    files    the same networks as model files whose sizes were changed, with a valid checksum
    ops      the operations, called directly
    native   the compiled kernels' own steps, of networks and of every operation, with other sizes, arrays and options
    scratch  the book's layers and functions
    settings arguments of fit, predict, memory and the command line
    drawings sizes, strides and zooms of what is drawn

It needs nothing but Pellucid and NumPy, so it also runs under sanitizers (scripts/sanitize) and with every
instruction set (PELLUCID_ISA). An input is a function of the seed and its number: `--first N --inputs 1` runs it alone.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import itertools
import math
import os
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_native import fuzz_native
from wild_networks import (
    FEW_NUMBERS,
    Array,
    Random,
    Wild,
    absurd,
    changed,
    expect_close,
    make_network,
    nested,
    on_reference,
    small_model,
    use,
)

from pellucid import layers, ops, scratch
from pellucid.errors import PellucidError, shown
from pellucid.files import tensor_file
from pellucid.model import Sequential
from pellucid.model import file as model_file
from pellucid.ops import dispatch, geometry

MAX_MESSAGE = 600


def fuzz_layers(rng: Random) -> str:
    return use(make_network(rng, rng.choice((4, 12, 40))), rng, train=True)


FILE = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)) / "input"


def fuzz_files(rng: Random) -> str:
    model = make_network(rng, 10**9)
    facts = {"kind": "model", **model_file.facts_of(model)}
    for _ in range(rng.choice((1, 1, 2))):
        part = rng.choice(("layers", "layers", "layers", "input_shape"))
        facts[part] = changed(facts[part], rng)
    tensors = {f"{layer.name}/{name}": array for layer in model.layers for name, array in
               (layer.params | layer.state).items()}  # fmt: skip
    tensor_file.write(FILE, tensors, facts)
    return use(model_file.load(FILE), rng, train=rng.random() < 0.3)


def too_large(x_shape: Any, kernel_shape: Any, convolution: Any, pooling: Any) -> bool:
    """Whether these arguments are fine, but take long: a padding of 10,000 pixels."""
    with contextlib.suppress(Exception):  # what is wrong is for the operation to say
        for pads in (dispatch.convolution(**convolution)["padding"], dispatch.pooling(**pooling)["padding"]):
            if math.prod(geometry.padded_shape(x_shape[1:], pads)) * math.prod(kernel_shape) > 1 << 26:
                return True
    return False


def fuzz_ops(rng: Random) -> str:
    wild, draw = Wild(rng, rng.choice((4, 20))), np.random.default_rng(rng.randrange(2**32))

    def array(*shape: int) -> Array:
        return draw.standard_normal(shape, np.float32)

    def pads(most: int) -> Any:
        p = [rng.randint(0, most) for _ in range(4)]
        return wild(((p[0], p[1]), (p[2], p[3])))

    n, h, w, c = rng.randint(1, 3), rng.randint(1, 14), rng.randint(1, 14), rng.choice((1, 2, 3, 6, 16))
    groups = rng.choice((1, 1, 1, c))
    o = groups * rng.choice((1, 2, 3, 5, 16))
    x, kernel = array(n, h, w, c), array(rng.randint(1, 5), rng.randint(1, 5), c // groups, o)
    window: dict[str, Any] = {"strides": wild.size(4), "padding": pads(3)}
    convolution = window | {"dilation": wild.size(2), "groups": wild(groups)}
    pooling = {"pool_size": wild.size(4), "strides": wild.size(4), "padding": pads(1)}
    given = tuple(wild(size) if rng.random() < 0.3 else size for size in x.shape)

    def conv2d() -> list[Array]:
        y = ops.conv2d(x, kernel, array(o), **convolution)
        dy = array(*y.shape)
        return [
            y,
            ops.conv2d_backward_input(dy, kernel, given, **convolution),
            ops.conv2d_backward_kernel(x, dy, kernel.shape, **convolution),
        ]

    def pooled() -> list[Array]:
        y, places = ops.max_pool2d(x, **pooling)
        mean = ops.avg_pool2d(x, **pooling)
        dy = array(*y.shape)
        return [
            y,
            mean,
            ops.max_pool2d_backward(dy, places, given, **pooling),
            ops.avg_pool2d_backward(dy, given, **pooling),
        ]

    def merged() -> list[Array]:
        both = {"convolution": convolution, "pooling": pooling}
        y, places = ops.conv2d_max_pool2d(x, kernel, None, **both)
        dy = array(*y.shape)
        return [
            y,
            ops.conv2d_avg_pool2d(x, kernel, None, **both),
            *ops.conv2d_max_pool2d_backward_kernel(x, dy, y, places, kernel.shape, **both),
            ops.conv2d_max_pool2d_backward_input(dy, y, places, kernel, given, **both),
        ]

    def rest() -> list[Array]:
        y, _ = ops.local_response_norm(x, size=wild(rng.randint(1, 9)))
        key, border = (wild(1), wild(2), wild(3)), (pads(4), rng.choice(ops.BORDERS))
        enlarging = wild.size(4), rng.choice(ops.INTERPOLATIONS)
        larger, padded = ops.upsample2d(x, *enlarging), ops.pad2d(x, *border)
        return [
            y,
            ops.dropout(x, 0.5, key),
            ops.gaussian_noise(x, 0.5, key),
            padded,
            ops.pad2d_backward(array(*padded.shape), given, *border),
            larger,
            ops.upsample2d_backward(array(*larger.shape), given, *enlarging),
        ]

    call = rng.choice((conv2d, conv2d, pooled, merged, rest))
    if call is not rest and too_large(x.shape, kernel.shape, convolution, pooling):
        return "large"
    state = draw.bit_generator.state
    got = call()
    draw.bit_generator.state = state
    # the same draws again: what was wild has been drawn, so the arguments are the same too
    if call is not rest and sum(each.size for each in got) <= 16 * FEW_NUMBERS:  # NumPy takes minutes for more
        with on_reference():
            for a, b in zip(got, call(), strict=True):
                expect_close(call.__name__, a, b)
    return "run"


def fuzz_scratch(rng: Random) -> str:
    wild, draw = Wild(rng, 3), np.random.default_rng(rng.randrange(2**32))
    x = draw.standard_normal((2, 2, rng.randint(1, 9), rng.randint(1, 9)))
    call = rng.randrange(4)
    if call == 0:
        layer = scratch.Convolution(draw.standard_normal((3, 2, 3, 2)), np.zeros(3), wild(1), wild(0))
        layer.backward(np.ones_like(layer.forward(x)))
    elif call == 1:
        pool = scratch.Pooling(wild(2), wild(2), wild(1), wild(0))
        pool.backward(np.ones_like(pool.forward(x)))
    else:
        columns = scratch.im2col(x, wild(2), wild(2), wild(1), wild(0))
        shape = tuple(wild(size) if call == 3 else size for size in x.shape)
        scratch.col2im(columns, shape, wild(2), wild(2), wild(1), wild(0))
    return "run"


COMMANDS = (
    ("summary", "simple-convnet", "--batch-size"),
    ("train", "--epochs"),
    ("train", "--batch-size"),
    ("train", "--seed"),
    ("train", "--limit"),
    ("train", "--test-limit"),
    ("train", "--threads"),
    ("train", "--patience"),
    ("train", "--size"),
    ("train", "--lr"),
    ("train", "--validation"),
    *(
        ("train", "--set", key)
        for key in ("hidden_size=", "filter_num=", "pad=", "filter_size=", "stride=", "momentum=")
    ),
)
KEEP = ("--limit", "20", "--test-limit", "10", "--epochs", "0", "--quiet")


def fuzz_settings(rng: Random) -> str:
    kind = rng.randrange(6)
    x, y = np.zeros((3, 6, 6, 1), np.float32), np.zeros(3, np.int64)
    value = absurd(rng)
    if kind == 0:
        small_model().memory(value)
    elif kind == 1:
        small_model().predict(x, batch_size=value, verbose=0)
    elif kind == 2:
        name = rng.choice(("batch_size", "validation_split", "verbose"))
        arguments: dict[str, Any] = {"verbose": 0, "doctor": False} | {name: value}
        small_model().fit(x, y, **arguments)
    elif kind == 3:
        layers.Input([absurd(rng) for _ in range(rng.randint(1, 4))])
    elif kind == 4:
        Sequential(seed=value)
    else:
        from pellucid.cli.app import main

        text = hex(value)[2:6] if isinstance(value, int) else shown(value)
        text = rng.choice((text, "9" * rng.randint(1, 6000)))
        text = rng.choice((text, "-" + text, "[" * rng.randint(1, 100_000), "1e999", str(2**62), "[[1, 2], [3]]", "{}"))
        *words, option = rng.choice(COMMANDS)
        if option in ("--epochs", "--size"):  # many are no mistake, and take their time
            text = rng.choice((str(2**62), "-1", "1.5", "9" * rng.randint(20, 6000), "nan"))
        if option == "--validation":
            text = text[:100]  # it may be a folder
        given = [option + text] if option.endswith("=") else [option, text]
        kept = KEEP if words[0] == "train" else ()
        with contextlib.redirect_stderr(io.StringIO()) as told, contextlib.redirect_stdout(io.StringIO()):
            status = main([*words, *kept, *given, *(["--out", str(FILE) + "-run"] if kept else [])])
        if status == 1 and (told.getvalue().count("\n") > 3 or len(told.getvalue()) > 3 * MAX_MESSAGE):
            raise AssertionError(f"{words} {option}: {told.getvalue()[:2000]}")
        if status not in (0, 1, 2):
            raise AssertionError(f"{words} {option}: status {status}")
    return "run"


def fuzz_drawings(rng: Random) -> str:
    from pellucid import visualise

    wild, model = Wild(rng, 2), small_model()
    x = np.random.default_rng(0).random((6, 6, 1), np.float32)
    kind = rng.randrange(7)
    if kind == 0:
        visualise.occlusion(model, x, size=wild(2), stride=wild(2))
    elif kind == 1:
        visualise.feature_grid(x, columns=wild(2), gap=wild(1), zoom=wild(2))
    elif kind == 2:
        visualise.filter_grid(x[:3, :3, :, None], columns=wild(1), zoom=wild(2))
    elif kind == 3:
        places = {"jitter": wild(1), "blur": wild(0.5), "seed": wild(0), "rate": wild(0.1)}
        visualise.ascend(
            model, model.layers[0].name, [0], steps=rng.choice((1, 2, 0, -1, 2**62, nested(), "3")), **places
        )
    elif kind == 4:
        visualise.shift_path(wild(3), wild(1))
    elif kind == 5:
        visualise.slide_places((4, 4), frames=wild(3), every=wild(2))
    else:
        visualise.architecture_svg(model, scale=wild(1.0))
    return "run"


PARTS: dict[str, Callable[[Random], str]] = {
    "layers": fuzz_layers,
    "files": fuzz_files,
    "ops": fuzz_ops,
    "native": fuzz_native,
    "scratch": fuzz_scratch,
    "settings": fuzz_settings,
    "drawings": fuzz_drawings,
}


def run_input(part: str, seed: int, number: int) -> str:
    """One input; how it ended. Anything but an answer or a short error of our own comes out as it is."""
    try:
        return PARTS[part](random.Random(f"{part} {seed} {number}"))
    except (PellucidError, MemoryError) as error:
        text = str(error)
        if not 0 < len(text) < MAX_MESSAGE or "\n" in text:
            raise AssertionError(f"a message of {len(text)} characters: {text[:2000]}") from error
        return "memory" if isinstance(error, MemoryError) else "refused"


def place_of(part: str, seed: int, number: int) -> str:
    """What runs an input again."""
    return f"{part} --seed {seed} --first {number} --inputs 1"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--seconds", type=float, default=60.0, help="stop after so many seconds (default: 60)")
    parser.add_argument("--inputs", type=int, default=None, help="stop after so many inputs of each part")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    parts = options.parts or [*PARTS]
    place = Path(os.environ.get("FUZZ_PLACE", os.devnull))
    ended: Counter[str] = Counter()
    findings = 0
    stop = time.monotonic() + options.seconds
    for number in itertools.count(options.first):
        if time.monotonic() > stop or (options.inputs is not None and number >= options.first + options.inputs):
            break
        for part in parts:
            place.write_text(place_of(part, options.seed, number))
            begun = time.monotonic()
            try:
                ended[f"{part} {run_input(part, options.seed, number)}"] += 1
            except Exception as error:
                findings += 1
                print(
                    f"{part} --seed {options.seed} --first {number} --inputs 1: {type(error).__name__}: {error}"[:600]
                )
                if options.inputs == 1:
                    raise
            if time.monotonic() - begun > 10:
                print(f"{place_of(part, options.seed, number)}: took {time.monotonic() - begun:.0f} s")
    told = ", ".join(f"{name} {count}" for name, count in sorted(ended.items()))
    print(f"{ops.backend().instruction_set}: {sum(ended.values()):,} inputs ({told}); {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
