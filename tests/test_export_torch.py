"""`pellucid export --to torch`: PyTorch runs what was written, and answers as the model does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import Command
from exported_modules import GRAPHS, SMALL, answers, branched, exported, network, shaken, torch

import pellucid
from pellucid import layers as L
from pellucid import zoo
from pellucid.convert import import_weights
from pellucid.datasets.transforms import Preprocessing
from pellucid.engines.torch.table import ROWS
from pellucid.errors import ConfigError
from pellucid.model import Sequential


@pytest.mark.parametrize("name", [*SMALL, *GRAPHS])
def test_pytorch_answers_as_the_model(name: str, tmp_path: Path) -> None:
    model = shaken(network(name))
    x = np.random.default_rng(1).normal(size=(3, *model.input_shape)).astype(np.float32)
    given = model.predict(x)
    wanted = given if isinstance(given, list) else [given]
    for found, ours in zip(answers(exported(model, tmp_path), x, scaled=False), wanted, strict=True):
        assert np.ptp(ours) > 1e-3, "outputs that hardly differ would agree with anything"
        np.testing.assert_allclose(found, ours, rtol=1e-4, atol=1e-5)


def test_every_row_is_tried() -> None:
    tried = [layer for make in GRAPHS.values() for layer in make().layers]
    tried += [layer for layers in SMALL.values() for layer in layers]
    near = {kind for layer in tried for kind in type(layer).__mro__}
    assert ROWS.keys() <= near, sorted(kind.__name__ for kind in ROWS.keys() - near)


@pytest.mark.parametrize(
    "name", ["simple-convnet", "lenet5-published", "photo-net", "resnet20", "squeezenet1_1", "unet"]
)
def test_networks_of_the_zoo_go_there_and_back(name: str, tmp_path: Path) -> None:
    side = {"squeezenet1_1": (48, 40), "unet": (16, 24), "photo-net": (32, 48)}.get(name)
    shape = None if side is None else (*side, 3)
    model = shaken(zoo.build(name, input_shape=shape))
    model.class_names = tuple(f"class {number}" for number in range(model.output_shape[-1]))
    model.preprocessing = Preprocessing(mean=(0.4,), std=(0.3,))
    program = exported(model, tmp_path)
    pictures = np.random.default_rng(1).integers(0, 256, (2, *model.input_shape)).astype(np.uint8)
    np.testing.assert_allclose(answers(program, pictures, scaled=True)[0], model.predict(pictures), atol=1e-5)
    assert model.class_names == program.CLASSES
    model.save(tmp_path / "net.pth")
    state = torch.load(tmp_path / "net.pth", weights_only=True)
    program.load().load_state_dict(state)
    for file in ("net.safetensors", "net.pth"):
        again = zoo.build(name, input_shape=shape, seed=5)
        report = import_weights(again, tmp_path / file)
        assert not report.fresh and not report.by_order
        for old, new in zip(model.get_weights(), again.get_weights(), strict=True):
            np.testing.assert_array_equal(new, old)


def test_the_command_writes_both_files_and_the_program_is_short(command: Command, tmp_path: Path) -> None:
    model = Sequential([L.Input((8, 8, 1)), L.Conv2D(2, 3, activation="relu"), L.Flatten(), L.Dense(3)], name='odd "n"')
    model.save(tmp_path / "m.safetensors")
    status, table, err = command("export", tmp_path / "m.safetensors", "--to", "torch", "--out", tmp_path / "net.py")
    assert status == 0, err
    assert str(tmp_path / "net.py") in table and (tmp_path / "net.safetensors").is_file()
    text = (tmp_path / "net.py").read_text()
    assert "x = F.relu(self.conv2d(x))" in text and "class OddN(nn.Module):" in text and len(text.splitlines()) < 45
    again = tmp_path / "again.safetensors"
    status, table, err = command(
        "import", tmp_path / "net.safetensors", "--as", tmp_path / "m.safetensors", "--out", again
    )
    assert status == 0, err
    for old, new in zip(model.get_weights(), pellucid.load(again).get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_what_pytorch_has_not_is_refused_by_name() -> None:
    class Own(L.ReLU):
        pass

    with pytest.raises(ConfigError, match=r"'own' \(Own\): cannot be written for PyTorch"):
        pellucid.export.write(Sequential([L.Input((4,)), Own(name="own")]), "never.py")
    with pytest.raises(ConfigError, match=r"share the other axes: shared_axes=\(1, 2\)"):
        pellucid.export.write(Sequential([L.Input((4, 4, 2)), L.PReLU()]), "never.py")


def test_weights_are_not_read_where_their_order_is_unknown(tmp_path: Path) -> None:
    model = branched()
    exported(model, tmp_path)
    with pytest.raises(ConfigError, match=r"\(Flatten\): what reads it does not tell"):
        import_weights(branched(), tmp_path / "net.safetensors")
