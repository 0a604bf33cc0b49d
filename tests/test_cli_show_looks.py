"""The command line drawing what a network looks at, what excites it, and how well it judges."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import Command
from PIL import Image

import pellucid
from pellucid import datasets, metrics, visualise


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The figures that are written, in order."""
    figures: list[object] = []

    def keep(figure: object, path: Path) -> None:
        figures.append(figure)
        Path(str(path)).write_bytes(b"drawn")

    monkeypatch.setattr(visualise, "write_figure", keep)
    return figures


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["attribution"], "attribution-grad-cam.png"),
        (["attribution", "--method", "gradient", "--class", "3"], "attribution-gradient.png"),
        (["attribution", "--method", "occlusion", "--size", "4,3", "--stride", "2"], "attribution-occlusion.png"),
        (["excite"], "made.png"),
        (["excite", "--layer", "conv1", "--channel", "2"], "made-conv1-2.png"),
        (["excite", "--found"], "found.png"),
        (["excite", "--found", "--layer", "conv1"], "found-conv1.png"),
        (["confusion"], "confusion.png"),
        (["calibration", "--bins", "5"], "calibration.png"),
        (["mistakes", "--count", "4"], "mistakes.png"),
    ],
)
def test_each_command_draws_beside_the_run_and_says_where(
    command: Command, run_folder: Path, drawn: list[object], words: list[str], name: str
) -> None:
    status, out, err = command("show", words[0], run_folder, *words[1:])
    assert status == 0, err
    assert out.strip() == str(run_folder / name) and len(drawn) == 1
    (run_folder / name).unlink()


def test_a_png_goes_to_standard_output_alone(run_folder: Path) -> None:
    code = "import sys; from pellucid.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["show", "confusion", str(run_folder), "--out", "-"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, check=True)
    assert done.stdout.startswith(b"\x89PNG") and done.stdout.rstrip().endswith(b"IEND\xaeB`\x82")


def test_figures_are_of_the_pictures_the_run_held_out(
    command: Command, run_folder: Path, drawn: list, tmp_path: Path
) -> None:
    test = datasets.load("digits").test
    answers = pellucid.load(run_folder).predict(np.asarray(test.images))
    assert command("show", "confusion", run_folder, "--out", tmp_path / "a.png")[0] == 0
    matrix = metrics.confusion_matrix(test.labels, answers, 10)
    np.testing.assert_array_equal(np.asarray(drawn[0].axes[0].images[0].get_array()), matrix)
    assert command("show", "mistakes", run_folder, "--count", 1, "--out", tmp_path / "b.png")[0] == 0
    worst = metrics.confident_mistakes(test.labels, answers, 1)[0]
    shown = np.asarray(drawn[1].axes[0].images[0].get_array())
    np.testing.assert_allclose(shown, np.asarray(test.images)[worst, :, :, 0] / 255)
    wrong = int((answers.argmax(axis=1) != test.labels).sum())
    assert f"of {wrong} mistakes in 360 pictures" in drawn[1].get_suptitle()


def test_a_picture_of_another_size_is_fitted_and_that_is_said(
    command: Command, run_folder: Path, drawn: list, tmp_path: Path
) -> None:
    Image.new("L", (20, 30)).save(tmp_path / "big.png")
    status, _, err = command(
        "show", "attribution", run_folder, "--image", tmp_path / "big.png", "--out", tmp_path / "a.png"
    )
    assert status == 0 and "30x20" in err and "8x8" in err
    assert drawn[0].axes[0].get_title() == "big.png"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["attribution", "--class", "ten"], "unknown class 'ten'"),
        (["attribution", "--method", "gradcam"], "did you mean 'grad-cam'"),
        (["attribution", "--layer", "conv9"], "did you mean 'conv1'"),
        (["attribution", "--method", "gradient", "--layer", "conv1"], "--layer is for --method grad-cam"),
        (["attribution", "--size", "3"], "--size and --stride are for --method occlusion"),
        (["attribution", "--method", "occlusion", "--size", "3x4"], "N or ROWS,COLS, got '3x4'"),
        (["attribution", "--method", "occlusion", "--size", "0"], "at least 1"),
        (["attribution", "--method", "occlusion", "--size", "3", "--stride", "4"], "got size 3x3 and stride 4x4"),
        (["filters", "--sort", "nrom"], "did you mean 'norm'"),
        (["excite", "--layer", "conv9"], "did you mean 'conv1'"),
        (["excite", "--channel", "3"], "say of which layer"),
        (["excite", "--layer", "conv1", "--channel", "99"], "got 99"),
        (["excite", "--data", "digits"], "add --found"),
        (["confusion", "--out", "a.bmp"], ".bmp"),
    ],
)
def test_wrong_questions_take_one_line(command: Command, run_folder: Path, words: list[str], told: str) -> None:
    status, out, err = command("show", words[0], run_folder, *words[1:])
    assert status == 1 and not out and told in err and len(err.strip().splitlines()) == 1


def test_a_network_that_never_learned_is_drawn_by_its_name_and_that_is_said(
    command: Command, drawn: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        (["filters"], "filters"),
        (["attribution", "--image", pictures / "3.png"], "attribution-grad-cam"),
        (["excite", "--layer", "conv1"], "made-conv1"),
        (["confusion", "--data", "digits"], "confusion"),
    ]
    for words, name in rows:
        status, out, err = command("show", words[0], "simple-convnet", *words[1:])
        assert status == 0 and out.strip() == f"simple-convnet-{name}.png", err
        title = drawn[-1].get_suptitle() or drawn[-1].axes[0].get_title()
        assert "not trained" in title
    assert command("show", "confusion", "simple-convnet")[2].endswith("with --data\n")


def test_occlusion_covers_what_was_asked_for(command: Command, run_folder: Path, drawn: list, tmp_path: Path) -> None:
    words = ["--method", "occlusion", "--class", "7", "--size", "4,3", "--stride", "2,1", "--out", tmp_path / "a.png"]
    assert command("show", "attribution", run_folder, *words)[0] == 0
    picture = np.asarray(datasets.load("digits").test.images)[0]
    expected = visualise.occlusion(pellucid.load(run_folder), picture, (4, 3), (2, 1), classes=7)[0]
    np.testing.assert_array_equal(np.asarray(drawn[0].axes[1].images[1].get_array()), expected)
    assert "4x3 pixels" in drawn[0].get_suptitle()
