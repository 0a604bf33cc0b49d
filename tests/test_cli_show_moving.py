"""The command line making moving pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Command
from PIL import Image

from pellucid.visualise.drawing.animation import Animation


def frames(path: Path) -> int:
    with Image.open(path) as gif:
        return int(getattr(gif, "n_frames", 1))


def test_moving_pictures_lie_beside_the_run(command: Command, run_folder: Path, tmp_path: Path) -> None:
    for words, name, count in (
        (["slide", "--frames", 4, "--scale", 0.5], "slide.gif", 4),
        (["shift", "--pixels", 1, "--scale", 0.5], "shift.gif", 9),
    ):
        status, out, err = command("show", words[0], run_folder, *words[1:])
        assert status == 0 and out.strip() == str(run_folder / name), err
        assert frames(run_folder / name) == count
        (run_folder / name).unlink()


def test_a_kernel_needs_no_network(
    command: Command, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = command("show", "slide", "--kernel", "average", "--every", 12, "--scale", 0.5)
    assert status == 0 and out.strip() == "average-slide.gif" and frames(tmp_path / "average-slide.gif") == 4, err
    Image.new("RGB", (90, 60), "white").save("photo.png")
    status, out, err = command("show", "slide", "--image", "photo.png", "--frames", 2, "--out", "e.gif")
    assert status == 0 and frames(tmp_path / "e.gif") == 2 and "60x90, made smaller to 32x48" in err


def test_ctrl_c_leaves_nothing_half_written(
    command: Command, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Animation.frame

    def interrupted(self: Animation, index: int, scale: float = 1.0) -> object:
        if index == 2:
            raise KeyboardInterrupt
        return whole(self, index, scale)

    monkeypatch.setattr(Animation, "frame", interrupted)
    words = ["--every", 6, "--frames", 4, "--out", tmp_path / "a.gif"]
    status, _, err = command("show", "slide", run_folder, *words)
    assert status == 130 and err.endswith("pellucid: interrupted; what was finished is kept\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["slide", "RUN", "--kernel", "edge"], "--kernel edge is for a picture without a network"),
        (["slide", "--layer", "conv1"], "--layer and --channel are of a network"),
        (["slide", "--kernel", "egde"], "did you mean 'edge'"),
        (["slide", "RUN", "--layer", "conv9"], "did you mean 'conv1'"),
        (["slide", "RUN", "--frames", "1", "--out", "a.png"], "end in .gif"),
        (["shift", "RUN", "--pixels", "8"], "can move by less than that"),
        (["shift", "RUN", "--layer", "conv9"], "did you mean 'conv1'"),
    ],
)
def test_wrong_questions_take_one_line(command: Command, run_folder: Path, words: list[str], told: str) -> None:
    status, out, err = command("show", *(run_folder if word == "RUN" else word for word in words))
    assert status == 1 and not out and told in err and len(err.strip().splitlines()) == 1
