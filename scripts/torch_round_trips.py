"""Every network of the zoo to PyTorch and back: how far its answers are apart, and whether the weights came back.

    python scripts/torch_round_trips.py [NETWORK...]

A minute or two; needs PyTorch. VGG and AlexNet are made with few dense units.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from exported_modules import answers, exported, shaken  # of the tests

from pellucid import zoo
from pellucid.convert import import_weights

BOUND = 1e-5


def tried(name: str, folder: Path) -> bool:
    """One network, in a line; whether answers and weights agree."""
    started = time.perf_counter()
    options = {"dense_units": 64} if "dense_units" in zoo.options_of(name) else {}
    model, again = (zoo.build(name, seed=seed, options=options) for seed in (0, 5))
    shaken(model)
    program = exported(model, folder)
    pictures = np.random.default_rng(1).integers(0, 256, (2, *model.input_shape)).astype(np.uint8)
    wanted = model.predict(pictures, verbose=0)
    apart = float(np.abs(answers(program, pictures, scaled=True)[0] - wanted).max())
    import_weights(again, folder / "net.safetensors")
    same = all(np.array_equal(a, b) for a, b in zip(model.get_weights(), again.get_weights(), strict=True))
    spread, took = float(np.ptp(wanted, axis=-1).mean()), time.perf_counter() - started
    print(f"{name:20} {apart:8.1e} apart of {spread:.3f}, weights {'equal' if same else 'DIFFER'}, {took:.1f} s")
    return same and apart <= BOUND


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        wrong = [name for name in sys.argv[1:] or zoo.NAMES if not tried(name, Path(place))]
    sys.exit(f"not within {BOUND}: {', '.join(wrong)}" if wrong else 0)
