"""Programs for Keras by `pellucid run`: their imports are ours, and what is not here is named before they run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pellucid import keras
from pellucid.cli.app import main
from pellucid.cli.program_modules import ProgramModules, table
from pellucid.cli.program_names import missing_names

RUNS = """
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers, models
from tensorflow.keras.layers import Conv3D, Dense
from keras.layers.core import Flatten
import keras.backend as K
import tensorflow.keras.applications.vgg16

assert K.image_data_format() == "channels_last" and not tf.config.list_physical_devices("GPU")
tf.random.set_seed(1)
x, y = np.random.rand(20, 8, 8, 1).astype("float32"), np.arange(20) % 2
model = tf.keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3, activation=tf.nn.relu), Flatten(), Dense(2)])
model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
pairs = tf.data.Dataset.from_tensor_slices((x, y)).map(lambda x, y: (tf.cast(x, tf.float32), y), tf.data.AUTOTUNE)
model.fit(pairs.shuffle(20).batch(5).prefetch(tf.data.AUTOTUNE), epochs=1, verbose=0)
model.fit_generator(iter(pairs.repeat().batch(5)), steps_per_epoch=7 / 5, epochs=1, verbose=0, workers=4)
ahead = iter(pairs.batch(5))
next(ahead)
red = tf.image.adjust_hue(np.array([[[200, 10, 10]]], "uint8"), 1 / 3)
assert red.numpy().tolist() == [[[10, 200, 10]]] and tf.image.central_crop(x, 0.5).shape == (20, 4, 4, 1)
assert tf.image.convert_image_dtype(np.float32([0, 0.5, 1]), "uint8").numpy().tolist() == [0, 127, 255]
chances = tf.nn.softmax(model(x)).numpy()
print("classes", sorted(set(tf.argmax(chances, axis=1).numpy().tolist())) <= [0, 1], tf.__version__[0])
"""
REFUSED = """
import tensorflow as tf
from tensorflow.keras.layers import Conv3D, Dense
from tensorflow.keras.nothing import X
model = tf.keras.Sequential([Conv3D(3), Dense(2)])
with tf.distribute.TPUStrategy().scope():
    tf.keras.layers.Conv9D(3)
"""


@pytest.fixture(autouse=True)
def a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a program has: what other tests imported of the real ones is not there."""
    for name in list(sys.modules):
        if name.partition(".")[0] in ("keras", "tensorflow", "tf_keras"):
            monkeypatch.delitem(sys.modules, name)


def test_a_program_runs_untouched(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "program.py"
    program.write_text(RUNS)
    assert main(["run", str(program)]) == 0
    shown = capfd.readouterr()
    assert (
        shown.out.startswith("classes True 2") and "Pellucid's stood in for tensorflow, tensorflow.keras" in shown.err
    )


def test_all_that_is_not_here_is_named_and_the_program_not_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "program.py"
    program.write_text(f"print('ran')\n{REFUSED}")
    assert main(["run", "--check", str(program)]) == 1
    shown = capfd.readouterr()
    assert "ran" not in shown.out and "was not run: it uses 4 names" in shown.err
    assert [int(line.split(", line ")[1].split(":")[0]) for line in shown.err.splitlines()[:4]] == [5, 6, 7, 8]
    assert "line 6: keras.layers.Conv3D is not here: pictures have two axes here" in shown.err


def test_a_program_runs_until_it_comes_to_what_is_not_here(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import tensorflow as tf\n"
        "def unused():\n    return tf.keras.layers.Conv3D(3)\n"
        "try:\n    tf.tpu.experimental\nexcept AttributeError as error:\n    print(error)\n"
        "print('trained')\n"
        "converter = tf.lite.TFLiteConverter.from_keras_model(None)\n"
        "print('converted')\n"
    )
    assert main(["run", str(program)]) == 1
    shown = capfd.readouterr()
    assert (
        shown.out == "tensorflow.tpu is not here: torchrun -m pellucid train ... trains on many machines, see "
        "docs/resume.md\ntrained\n"
    )
    first, last = shown.err.splitlines()[:4], shown.err.splitlines()[-2]
    assert [line.split(", line ")[1].split(":")[0] for line in first[:3]] == ["3", "5", "9"]
    assert first[3].endswith("runs until it comes to one of these 3 names")
    assert last.startswith("AttributeError: tensorflow.lite is not here: model.save(path) and pellucid.load(path) keep")
    program.write_text("import keras\nprint('not run')")
    assert main(["run", "--check", str(program)]) == 0 and capfd.readouterr().out == ""


def test_keras_is_found_in_tensorflow() -> None:
    assert keras.tensorflow.keras is keras


def test_a_module_beside_the_program_wins(tmp_path: Path) -> None:
    (tmp_path / "keras.py").write_text("layers = None")
    program = b"import keras\nkeras.layers.Conv3D"
    finder = ProgramModules(table(), tmp_path)
    assert missing_names(program, finder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        assert missing_names(program, finder) == []


def test_the_table_has_every_module_of_keras_that_is_here() -> None:
    rows = table()
    assert rows["keras.layers"] == rows["tensorflow.keras.layers"] == ("pellucid.keras.layers",)
    assert rows["keras.layers.convolutional"] == ("pellucid.keras.layers",) and "tensorflow.nn" in rows
    assert "keras.model" not in rows and "keras.tensor" not in rows
    assert rows["keras"] == ("pellucid.keras", "pellucid.keras:__version__ as __version__")
