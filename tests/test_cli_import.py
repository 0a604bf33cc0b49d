"""`pellucid import`: a file from PyTorch becomes a model file that the other commands take."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch_branches
import torch_networks as networks
from commands import Command
from PIL import Image

import pellucid
from pellucid.convert import PUBLISHED
from pellucid.convert.published import Published

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.fixture(scope="module")
def module() -> Any:
    return networks.scramble(networks.network("alexnet-owt", units=16, classes=5))


@pytest.fixture
def weights(module: Any, tmp_path: Path) -> Path:
    torch.save(module.state_dict(), tmp_path / "w.pth")
    return tmp_path / "w.pth"


SMALL = ("--as", "alexnet-owt", "--set", "dense_units=16")


def test_a_photograph_gets_the_answer_of_the_original_pipeline(
    command: Command, weights: Path, module: Any, tmp_path: Path
) -> None:
    """torchvision's preset in Pillow and torch: short side to 256, the middle 224, 0...1, mean and deviation."""
    photo = Path(os.environ.get("PELLUCID_DATA", ""), "photos", "chelsea.png")
    if not photo.is_file():
        pytest.skip("the photographs are not on this machine")
    (tmp_path / "names.txt").write_text("a\nb\nc\nd d\n\ne\n")
    out = tmp_path / "alexnet.safetensors"
    given = ("--classes-file", tmp_path / "names.txt", "--scaling", "torch")
    status, _, err = command("import", weights, *SMALL, *given, "--out", out)
    assert status == 0 and err == ""
    image = Image.open(photo).convert("RGB")
    width, height = image.size
    short = min(width, height)
    image = image.resize((int(256 * width / short), int(256 * height / short)), Image.Resampling.BILINEAR)
    left, top = round((image.width - 224) / 2), round((image.height - 224) / 2)
    x = torch.from_numpy(np.array(image.crop((left, top, left + 224, top + 224)))).permute(2, 0, 1).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = torch.softmax(module((x - mean[:, None, None])[None] / std[:, None, None]), 1)[0].numpy()
    _, answer, _ = command("predict", out, photo, "--top", 5, "--json")
    got = {p["class"]: p["probability"] for p in json.loads(answer)[0]["predictions"]}
    assert set(got) == {"a", "b", "c", "d d", "e"}
    np.testing.assert_allclose([got[name] for name in ("a", "b", "c", "d d", "e")], expected, atol=2e-6, rtol=1e-4)


def test_the_table_and_the_json_tell_the_same(command: Command, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    status, table, err = command("import", weights, *SMALL, "--out", out)
    assert status == 0 and "give" in err and "--classes-file" in err
    for text in ("PyTorch state dict, 16 arrays", "center, 0 to 1, less mean 0.485", "starts anew", str(out)):
        assert text in table, text
    status, told, err = command("import", weights, *SMALL, "--out", out, "--json", "--classes", 3)
    facts = json.loads(told)
    assert status == 0 and facts["fresh"] == ["fc8"] and facts["classes"] == 3 and facts["arrays"] == 14
    assert facts["parameters"] == pellucid.load(out).count_params() and facts["scaling"] == "torchvision"
    _, table, err = command("import", weights, *SMALL, "--out", out, "--no-top", "--size", 96, "--classes", 2)
    assert "fc6, fc7, fc8: not from the file" in err
    model = pellucid.load(out)
    assert model.input_shape == (96, 96, 3) and model.trained_on["weights"]["file"] == "w.pth"
    assert command("summary", out)[0] == 0


def test_names_of_classes(command: Command, weights: Path, tmp_path: Path) -> None:
    names, out = tmp_path / "names", tmp_path / "m.safetensors"

    def run(content: str | bytes) -> tuple[int, str, str]:
        names.write_bytes(content if isinstance(content, bytes) else content.encode())
        return command("import", weights, *SMALL, "--classes-file", names, "--out", out)

    index = {str(i): [f"n0000{i}", name] for i, name in enumerate(["tench", "crane", "한글", "d", "e"])}
    assert run(json.dumps(index))[0] == 0
    assert pellucid.load(out).class_names == ("tench", "crane", "한글", "d", "e")
    assert run('["v", "w", "x", "y", "z"]')[0] == 0
    assert pellucid.load(out).class_names == ("v", "w", "x", "y", "z")
    out.unlink()
    for content, message in (
        ("a\nb\n", "has 2 names for 5 classes"),
        ('{"0": ["a", "b"], "2": ["c", "d"]}', "expected a JSON list"),
        ("[1, 2, 3, 4, 5]", "expected names of classes, got 1"),
        ("{", "expected a JSON list"),
        (b"\xff\xfe\x00", "is no text in UTF-8"),
    ):
        status, _, err = run(content)
        assert status == 1 and message in err and not out.exists(), content


def test_wrong_arguments_say_what_to_do(command: Command, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    for arguments, message in (
        ((weights, "--as", "vgg16", "--out", out), "does not fit vgg16"),
        ((weights, "--as", "alexnet-ow", "--out", out), "did you mean 'alexnet-owt'"),
        ((tmp_path / "none.pth", *SMALL, "--out", out), "no such file"),
        ((weights, "--as", tmp_path / "none.json", "--out", out), "none.json: no such run or model file"),
        ((weights, *SMALL, "--out", tmp_path / "no" / "m.safetensors"), "is not there"),
        ((weights, *SMALL, "--out", weights), "choose another name"),
        ((weights, *SMALL, "--out", out, "--scaling", "imagenet"), "unknown scaling"),
        ((weights, *SMALL, "--out", out, "--size", "96"), "another size of picture"),
        ((weights, "--out", out), "holds no network that is known here"),
        ((weights, "--out", out, "--size", "96"), "a network that --as MODEL names"),
    ):
        status, _, err = command("import", *arguments)
        assert status == 1 and message in err and err.count("\n") == 1 and not out.exists(), arguments


def test_a_published_file_is_compared_with_its_hash(
    command: Command, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m.safetensors"
    data = weights.read_bytes()
    for kind, length in (("sha256", 8), ("md5", 32)):
        digest = hashlib.new(kind, data).hexdigest()[:length]
        known = Published("w.pth", "https://example.org/w.pth", kind, digest, "alexnet-owt", 1)
        monkeypatch.setitem(PUBLISHED, "w.pth", known)
        status, table, _ = command("import", weights, *SMALL, "--out", out)
        assert status == 0 and f"it is the published file ({kind.upper()} {digest})" in table
        out.unlink()
    weights.write_bytes(data + b"\0")
    status, _, err = command("import", weights, *SMALL, "--out", out)
    assert status == 1 and not out.exists()
    assert "has the name of a published file, whose MD5" in err or "damaged zip" in err


def test_the_published_names_carry_their_hashes() -> None:
    counts = networks.NUM_PARAMS | torch_branches.NUM_PARAMS
    for one in PUBLISHED.values():
        assert one.url.endswith("/" + one.file) or (one.wheel is not None and one.url.endswith(".whl"))
        if one.kind == "sha256":
            spelled = one.network.replace("mobilenet-v2", "mobilenet_v2")
            assert one.file == f"{spelled}-{one.digest[:8]}.pth" and len(one.digest) in (8, 64)
        else:
            assert len(one.digest) == 32 and one.file.startswith(one.network + "_weights_tf")
        assert int(one.digest, 16) and one.network in counts
        if "notop" not in one.file:  # four bytes a number; running means and names take some more
            assert 0.9 < one.megabytes / (counts[one.network] * 4 / 1e6) < 1.04
