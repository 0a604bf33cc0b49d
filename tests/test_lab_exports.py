"""What is taken along from the lab: programs that make the very same network, its file, its curves."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")

from lab_client import serving
from lab_sessions import Watched
from small_model import pictures

import pellucid
from pellucid import Conv2D, Dense, Dropout, GlobalAvgPool2D, Input, MaxPool2D, Model, ReLU, Sequential
from pellucid.lab.exports import EXPORTS
from pellucid.lab.prepare import prepare
from pellucid.lab.security import Role
from pellucid.model.file import from_bytes


def made(session: Watched, folder: Path, epochs: int = 1) -> Model:
    """The model that a session's program leaves, run as it is."""
    text = session.program()
    compile(text, "program.py", "exec")
    assert f"EPOCHS = {epochs}\n" in text
    (folder / "program.py").write_text(text, "utf-8")
    done = subprocess.run([sys.executable, "program.py"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, text + done.stderr
    return pellucid.load(folder / "model.safetensors")


def same(one: Model, other: Model) -> None:
    assert one.facts() == other.facts() | {"trained_on": one.trained_on}
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def trained(session: Watched, **settings: Any) -> Watched:
    """After one epoch with these settings."""
    session.begin()
    for name, value in settings.items():
        session.do("set", lambda n=name, v=value: session.snapshot["settings"][n] == v, name, value)  # type: ignore[misc]
    steps = -(-len(session.dataset.train) // session.settings.batch_size)
    for step in range(1, steps + 1):
        session.do("step", lambda step=step: session.snapshot["step"] == step and not session._single)  # type: ignore[misc]
    session.close()
    return session


def test_the_program_of_the_digits_makes_the_same_bits(tmp_path: Path) -> None:
    session = trained(Watched(prepare()), learning_rate=0.002, batch_size=300, momentum=0.8, augment=True, seed=3)
    same(session.model, made(session, tmp_path))


def test_the_program_of_a_graph_on_arrays_makes_the_same_bits(tmp_path: Path) -> None:
    images, labels = pictures(120)
    inputs = Input((6, 5, 2))
    x = Conv2D(4, 3, padding="same", name="a 1", kernel_regularizer=("l2", 0.01), kernel_initializer="he_normal")(
        inputs
    )
    y = MaxPool2D((2, 1), name="class")(ReLU()(x + Conv2D(4, (1, 3), padding=((0, 0), (2, 0)))(x)))
    model = Model(inputs, Dense(3)(Dropout(0.2)(GlobalAvgPool2D()(y))), 'a "quoted" \\ name', seed=4)
    model.compile(pellucid.optimizers.SGD(0.1, momentum=0.5, nesterov=True), pellucid.losses.MeanSquaredError())
    session = trained(Watched(prepare(model, (images, labels))))
    train, test = session.dataset.train, session.dataset.test
    arrays = {"images": train.images, "labels": train.labels, "test_images": test.images, "test_labels": test.labels}
    np.savez(tmp_path / "pictures.npz", **arrays)
    same(session.model, made(session, tmp_path))


@pytest.mark.parametrize("name", ["lenet5-published", "cifar-net", "resnet20", "mobilenet-v2", "googlenet", "unet"])
def test_every_network_of_the_zoo_is_written_as_a_program(name: str) -> None:
    """Built again by its text, layer by layer, it says the same of itself; nothing is trained or drawn for that."""
    from pellucid.lab.program import _imports, _network

    size = (64, 64, 3) if name != "lenet5-published" else (32, 32, 1)
    model = pellucid.zoo.build(name, input_shape=size, classes=10, seed=0, options={})
    space: dict[str, Any] = {}
    exec("\n".join(_imports(model, arrays=False) + _network(model)), space)
    again = space["model"]
    assert [layer.config() | {"input_shape": None} for layer in again.layers] == [
        layer.config() | {"input_shape": None} for layer in model.layers
    ]
    assert again.reads == model.reads and again.name == model.name


def test_names_stay_text_in_a_program() -> None:
    images, labels = pictures(40)
    name = 'x"); import os; os.remove("y") #'
    model = Sequential([pellucid.Flatten(input_shape=(6, 5, 2)), Dense(3, name=name)], '"""\nimport os\n"""')
    tree = compile(Watched(prepare(model, (images, labels))).program(), "program.py", "exec")
    assert "os" not in tree.co_names


def test_files_are_downloaded() -> None:
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    with serving() as served, served.socket() as page:
        page.say(type="command", do="step")
        page.until("state", step=1)
        for role, allowed in ((Role.OWNER, set(EXPORTS)), (Role.VIEWER, {"program.py", "curves.csv"})):
            for name, export in EXPORTS.items():
                answer = served.client.get(served.path(name, role))
                assert answer.status_code == (200 if name in allowed else 403)
                if name in allowed:
                    assert answer.headers["content-disposition"].startswith(
                        'attachment; filename="simple-convnet-digits.'
                    )
                    assert answer.headers["content-type"].startswith(export.kind)
        model = from_bytes(served.client.get(served.path("model.safetensors")).content)
        same(served.session.model, model)
        rows = list(csv.DictReader(io.StringIO(served.client.get(served.path("curves.csv")).text)))
        assert [row["step"] for row in rows] == ["1"] and float(rows[0]["loss"]) > 0
        assert float(rows[0]["learning_rate"]) == pytest.approx(0.001)
        assert served.client.get("/wrong/model.safetensors").status_code == 403
