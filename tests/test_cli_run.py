"""`pellucid run`: a program is itself as under Python, and finds modules of ours where it has none."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from book_modules import FOLDER, needs_book
from commands import Command

from pellucid import datasets, scratch
from pellucid.scratch.book import MODULES

SEEDS = Path(__file__).parent / "seeds"
PYTHON, RUN = [sys.executable], [sys.executable, "-m", "pellucid", "run"]


def interruptible() -> None:
    """As from a terminal, also where these tests run in a shell's background, which ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(
    program: Path, *arguments: str, by: list[str] = RUN, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")}
    source = str(Path(scratch.__file__).parents[2])
    path = os.pathsep.join(filter(None, (environment.pop("path", ""), source)))
    return subprocess.run(
        [*by, program.name if cwd is None else str(program), *arguments],
        cwd=cwd or program.parent,
        env={**kept, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        preexec_fn=interruptible,
    )


def written(folder: Path, text: str, name: str = "program.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


PROBE = """
import logging, os, pickle, signal, sys
import beside

class Kept:
    pass

print(sys.argv, __name__, __file__, __package__, __spec__, __cached__, __doc__, sorted(vars()))
print(sys.path[0], os.getcwd(), os.listdir("."), open("words.txt").read(), sys.modules["__main__"].Kept is Kept)
print(type(pickle.loads(pickle.dumps(Kept()))) is Kept, beside.__file__, logging.getLogger().handlers)
print(os.environ["MPLBACKEND"], sys.stdout is sys.__stdout__)
print(signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))
sys.exit(3)
"""


def test_a_program_is_itself_as_under_python(tmp_path: Path) -> None:
    program = written(tmp_path / "home", PROBE)
    written(tmp_path / "home", "", "beside.py")
    work = tmp_path / "work"
    written(work, "from the folder it is started in", "words.txt")
    (work / "linked.py").symlink_to(program)
    given = ("--help", "-x", "--", "a b", "고양이", "")
    for path in (Path("../home/program.py"), Path("linked.py")):
        ours, python = (start(path, *given, by=by, cwd=work, MPLBACKEND="agg") for by in (RUN, PYTHON))
        assert ours.stdout == python.stdout and ours.returncode == python.returncode == 3
    assert ours.stderr == ""
    assert not list(tmp_path.rglob("program.*.pyc")), "no more than under Python is left behind"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("def f():\n    return 1 / 0\ntry:\n    f()\nexcept OverflowError:\n    pass", 1),
        ("from common.functions import softmaxx", 1),
        ("from common.layers import *\nimport common.nothing", 1),
        ("import sys\nprint('bye')\nsys.exit('words')", 1),
        ("import broken", 1),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time\ntime.sleep(9)", 130),
    ],
)
def test_a_program_that_fails_does_so_as_under_python(tmp_path: Path, text: str, status: int) -> None:
    program = written(tmp_path, text)
    written(tmp_path, "def (", "broken.py")
    for name in ("functions", "layers", "__init__"):  # Python has them beside, and `pellucid run` its own
        written(tmp_path / "common", "", f"common/{name}.py")
    ours, python = start(program), start(program, by=PYTHON, path=str(tmp_path / "common"))
    said = [line.partition(" (")[0] for line in ours.stderr.splitlines()]
    if "common" in text:
        assert said.pop().startswith("pellucid: Pellucid's stood in for common")
    assert said == [line.partition(" (")[0] for line in python.stderr.splitlines()]
    assert ours.stdout == python.stdout and ours.returncode == status


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("nothing.py", None, "nothing.py: no such program"),
        ("program", "1", "program: no such program; did you mean program.py?"),
        ("page.ipynb", None, "page.ipynb: is a notebook; save its code as a program first"),
        (".", None, ".: is a folder; name a program in it"),
        ("program.py", "x = 1\nprint(\n", "program.py, line 2: not Python: '(' was never closed"),
        ("program.py", "x = 1\x00", "program.py: not Python: source code string cannot contain null bytes"),
        ("program.py", "\udcff = 1", "program.py, line 1: not Python: (unicode error) 'utf-8' codec"),
        ("program.py", "(" * 100_000, "program.py"),
    ],
)
def test_what_is_no_program_is_one_line(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str | None, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("program.py").write_bytes(text.encode(errors="surrogateescape"))
    before = list(sys.meta_path), sys.modules["__main__"], list(sys.argv)
    status, out, error = command("run", name)
    assert (status, out) == (1, "") and error.count("\n") == 1 and error.startswith(f"pellucid: {said}")
    assert before == (sys.meta_path, sys.modules["__main__"], sys.argv)
    assert command("run")[0] == 2


def test_every_module_comes_from_here_where_a_program_lies_alone(tmp_path: Path) -> None:
    plain = sorted({name.rpartition(".")[2] for name in MODULES if name.startswith("ch")})
    lines = [f"from {name} import *\nfound |= set(globals())" for name in (*MODULES, *plain)]
    text = "\n".join(
        [
            "found = set()",
            *lines,
            "import sys, common.layers, dataset",
            "from common import util",
            "from ch08 import deep_convnet",
            "assert common.layers.np is np and util.smooth_curve is smooth_curve",
            "print(deep_convnet.DeepConvNet is DeepConvNet, sys.modules['dataset.mnist'].load_mnist.__module__)",
            "print(*sorted(found))",
        ]
    )
    # what is merely installed under such a name is not the program's, nor is a folder of figures
    installed = tmp_path / "site-packages"
    written(installed, "raise SystemExit('the wrong one')", "common/__init__.py")
    program = written(tmp_path / "home", text)
    (tmp_path / "home" / "simple_convnet").mkdir()
    done = start(program, path=str(installed))
    first, names = done.stdout.splitlines()
    assert first == "True pellucid.scratch.mnist" and set(scratch.__all__) <= set(names.split())
    came = done.stderr.strip().removeprefix("pellucid: Pellucid's stood in for ").split(", ")
    assert set(came) == {*MODULES, *plain} and len(came) == len(set(came))


def test_a_file_of_the_programs_own_wins_wherever_the_program_would_find_it(tmp_path: Path) -> None:
    text = """
import sys, os
sys.path.append(os.path.join(os.path.dirname(__file__), ".."))
from dataset.mnist import load_mnist
from common.functions import softmax
from common.layers import Affine
from two_layer_net import TwoLayerNet
from simple_convnet import SimpleConvNet
print(load_mnist, softmax, Affine.__module__, TwoLayerNet.__module__, SimpleConvNet)
"""
    program = written(tmp_path / "ch04", text)
    written(tmp_path, "load_mnist = 'beside its folder'", "dataset/mnist.py")
    written(tmp_path / "ch04", "softmax = 'begun by hand'", "common/functions.py")
    written(tmp_path / "more", "SimpleConvNet = 'on the path'", "simple_convnet.py")
    done = start(program, path=str(tmp_path / "more"))
    own, sigmoid = "pellucid.scratch.layers", "pellucid.scratch.two_layer_net_sigmoid"
    assert done.stdout == f"beside its folder begun by hand {own} {sigmoid} on the path\n"
    assert done.stderr == "pellucid: Pellucid's stood in for common.layers, two_layer_net\n"
    (tmp_path / "ch04").rename(tmp_path / "mine")
    assert "pellucid.scratch.two_layer_net " in start(tmp_path / "mine" / "program.py").stdout + " "


def test_processes_that_it_starts_find_the_same_modules(tmp_path: Path) -> None:
    text = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from common.functions import sigmoid
import common.functions, importlib
importlib.reload(common.functions)

def half(x):
    from common.util import conv_output_size
    return float(sigmoid(x)), conv_output_size(4, 2)

if __name__ == "__main__":
    for way in ("fork", "spawn", "forkserver"):
        with ProcessPoolExecutor(1, mp_context=get_context(way)) as pool:
            print(way, *pool.map(half, [0.0]))
"""
    done = start(written(tmp_path, text))
    assert done.stdout.splitlines() == [f"{way} (0.5, 3.0)" for way in ("fork", "spawn", "forkserver")], done.stderr
    assert done.stderr == "pellucid: Pellucid's stood in for common.functions\n"


def test_a_process_is_afterwards_as_it_was(command: Command, tmp_path: Path) -> None:
    text = """
import sys, threading, time
from common.functions import softmax
def late():
    time.sleep(0.1)
    from common.gradient import numerical_gradient
    print(numerical_gradient.__name__, sys.modules["__main__"].softmax.__name__)
threading.Thread(target=late).start()
sys.path.append("mine")
"""
    program = written(tmp_path, text)
    kept = "common", "common.functions", "__main__"
    before = list(sys.meta_path), list(sys.path), list(sys.argv), [sys.modules.get(name) for name in kept]
    for _ in range(2):
        status, out, error = command("run", program)
        assert (status, out) == (0, "numerical_gradient softmax\n")
        assert error == "pellucid: Pellucid's stood in for common.functions, common.gradient\n"
        assert before == (sys.meta_path, sys.path, sys.argv, [sys.modules.get(name) for name in kept])


def test_figures_are_written_beside_the_program_where_there_is_no_display(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    text = """
import matplotlib.pyplot as plt
for _ in range(2):
    plt.plot([1, 2])
    plt.show()
    assert not plt.get_fignums()
plt.plot([3, 4])
for _ in range(3):
    plt.pause(0.001)
plt.figure()
plt.gcf().show()
"""
    program = written(tmp_path / "home", text, "draws.py")
    (tmp_path / "work").mkdir()
    done = start(Path("../home/draws.py"), cwd=tmp_path / "work")
    assert done.returncode == 0 and not list((tmp_path / "work").iterdir())
    names = [f"draws-figure-{number}.png" for number in (1, 2, 3, 4)]
    assert sorted(path.name for path in program.parent.glob("*.png")) == names
    assert done.stderr == f"pellucid: no display: figures are in {program.parent / names[0]} to {names[-1]}\n"


def test_a_picture_that_pillow_shows_is_written_too(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image, ImageShow

    text = """
from ch03.mnist_show import img_show
from PIL import Image
import numpy as np
ramp = np.arange(12.0).reshape(3, 4) * 20
img_show(ramp)
for mode in ("RGB", "RGBA", "CMYK", "1", "P", "LA", "I", "F", "HSV"):
    Image.fromarray(np.uint8(ramp)).convert("RGB" if mode == "HSV" else "L").convert(mode).show(title="words")
"""
    program = written(tmp_path, text, "shows.py")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    viewers = list(ImageShow._viewers)
    alone = start(program)
    inside = command("run", program)
    names = [f"shows-figure-{number}.png" for number in range(1, 11)]
    assert {path.name for path in tmp_path.glob("*.png")} == set(names)
    for status, out, error in ((alone.returncode, alone.stdout, alone.stderr), inside):
        assert (status, out) == (0, ""), error
        first, last = error.splitlines()
        assert first == f"pellucid: no display: figures are in {tmp_path / names[0]} to {names[-1]}"
        assert last == "pellucid: Pellucid's stood in for ch03.mnist_show"
    assert viewers == ImageShow._viewers
    with Image.open(tmp_path / names[0]) as picture:
        assert np.asarray(picture).tolist() == (np.arange(12).reshape(3, 4) * 20).tolist()


def digits(folder: Path) -> None:
    """dataset/mnist.py with a few made pictures."""
    x = np.random.default_rng(0).random((60, 1, 28, 28), np.float32)
    np.save(folder / "x.npy", x)
    text = """
import numpy as np, os
def load_mnist(normalize=True, flatten=True, one_hot_label=False):
    x, t = np.load(os.path.dirname(__file__) + "/../x.npy"), np.arange(60) % 10
    x = x.reshape(60, 784) if flatten else x
    t = np.eye(10)[t] if one_hot_label else t
    return (x, t), (x[:20], t[:20])
"""
    written(folder, text, "dataset/mnist.py")


def test_the_pages_own_programs_run_untouched(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    digits(tmp_path)
    train, visualize, network = (
        written(tmp_path, (SEEDS / f"seed_000_{name}.txt").read_text("utf-8"), f"{name}.py")
        for name in ("train_convnet", "visualize_filter", "simple_convnet")
    )
    done = start(train)  # with the page's own network, on our layers
    assert done.returncode == 0 and done.stdout.endswith("Saved Network Parameters!\n"), done.stderr
    assert done.stdout.count("=== epoch:") == 20
    assert (
        done.stderr.splitlines()[-1]
        == "pellucid: Pellucid's stood in for common.layers, common.gradient, common.trainer"
    )
    assert set(pickle.loads((tmp_path / "params.pkl").read_bytes())) == {f"{n}{i}" for n in "Wb" for i in (1, 2, 3)}
    network.unlink()
    done = start(visualize.relative_to(tmp_path.parent), cwd=tmp_path.parent)  # and from elsewhere, with ours
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "pellucid: Pellucid's stood in for simple_convnet"
    assert len(list(tmp_path.glob("visualize_filter-figure-*.png"))) == 2


# the book's own programs, where they are ------------------------------------------------------------------------------

QUICK = {
    "ch02": ["xor_gate"],
    "ch04": ["gradient_2d", "gradient_method", "gradient_simplenet", "two_layer_net"],
    "ch05": ["buy_apple", "buy_apple_orange", "two_layer_net"],
    "ch06": ["optimizer_compare_naive", "show_optimizer_adam"],
    "ch07": ["apply_filter", "gradient_check", "simple_convnet", "visualize_filter"],
    "ch08": ["deep_convnet"],
}


def alone(folder: Path, program: str) -> Path:
    """A program of the book in a folder by itself, with the data it reads."""
    chapter, name = program.split("/")
    for pattern, to in ((f"{chapter}/{name}.py", "mine"), (f"{chapter}/*.pkl", "mine"), ("dataset/*.png", "dataset")):
        for path in FOLDER.glob(pattern):
            (folder / to).mkdir(parents=True, exist_ok=True)
            (folder / to / path.name).write_bytes(path.read_bytes())
    return folder / "mine" / f"{name}.py"


@needs_book
@pytest.mark.parametrize("program", [f"{chapter}/{name}" for chapter, names in QUICK.items() for name in names])
def test_a_program_of_the_book_says_the_same_alone_and_in_its_folder(tmp_path: Path, program: str) -> None:
    written(tmp_path, "import numpy\nnumpy.random.seed(0)", "sitecustomize.py")
    ours = start(alone(tmp_path, program), path=str(tmp_path))
    books = start(FOLDER / f"{program}.py", by=PYTHON, path=str(tmp_path), MPLBACKEND="agg")
    assert ours.returncode == books.returncode == 0, ours.stderr
    if program == "ch07/gradient_check":  # differences of two gradients, by definition and in float64
        values = np.array([float(line.split()[1]) for line in ours.stdout.splitlines()])
        assert len(values) == 6 and (values < 1e-4).all()
    else:
        assert ours.stdout == books.stdout


@needs_book
@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("ch03/neuralnet_mnist", "Accuracy:0.9352"),
        ("ch03/neuralnet_mnist_batch", "Accuracy:0.9352"),
        ("ch08/misclassified_mnist", "test accuracy:0.9935"),
    ],
)
def test_the_books_published_parameters_have_their_published_accuracy(tmp_path: Path, program: str, said: str) -> None:
    if datasets.locate("mnist") is None:
        pytest.skip("mnist is not on this machine")
    done = start(alone(tmp_path, program))
    assert done.returncode == 0 and said in done.stdout.splitlines(), done.stderr


@needs_book
def test_deep_convnet_has_its_9935_right() -> None:
    if datasets.locate("mnist") is None:
        pytest.skip("mnist is not on this machine")
    network = scratch.DeepConvNet()
    network.load_params(FOLDER / "ch08" / "deep_convnet_params.pkl")
    _, (x, t) = scratch.load_mnist(flatten=False)
    right: Any = network.accuracy(x, t) * len(x)
    assert round(right) == 9_935
