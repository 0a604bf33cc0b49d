"""What the command line says beside its results is one line each, whoever says it."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import typer
from commands import Command

from pellucid.cli import app as application
from pellucid.visualise.drawing import fonts


@pytest.mark.filterwarnings("always")
def test_warnings_are_lines_without_a_place(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def noisy() -> None:
        warnings.warn("two\nlines", RuntimeWarning, stacklevel=1)
        warnings.warn("deep \x1b[2J down", UserWarning, stacklevel=3)
        logging.getLogger("matplotlib.font_manager").warning("%s not found", "font")

    probe = typer.Typer()
    probe.command()(noisy)
    monkeypatch.setattr(application, "app", probe)
    shown = warnings.showwarning
    status, out, err = command()
    assert (status, out) == (0, "")
    assert err.splitlines() == ["warning: two lines", "warning: deep \\x1b[2J down", "warning: font not found"]
    assert warnings.showwarning is shown, "a program that calls main keeps its own"


@pytest.mark.filterwarnings("always")
def test_a_model_that_warns_does_so_in_one_line(command: Command, tmp_path: Path) -> None:
    import numpy as np

    from pellucid import Dense, Flatten, Sequential

    model = Sequential([Flatten(input_shape=(2, 2, 1)), Dense(2)])
    model.build()
    model.set_weights([np.full((4, 2), np.nan, np.float32), np.zeros(2, np.float32)])
    model.save(tmp_path / "m.safetensors")
    _, _, err = command("summary", tmp_path / "m.safetensors")
    (line,) = err.splitlines()
    assert line.startswith("warning: ") and ".py" not in line


def test_a_font_that_came_after_matplotlibs_list_is_found(tmp_path: Path) -> None:
    from matplotlib import font_manager, get_cachedir

    if fonts.korean_font() is None:
        pytest.skip("no Korean font on this machine")
    (listed,) = list(Path(get_cachedir()).glob("fontlist-v*.json"))[-1:]
    told = json.loads(listed.read_text("utf-8"))
    told["ttflist"] = [entry for entry in told["ttflist"] if entry["name"] not in fonts.KOREAN_FONTS]
    (tmp_path / listed.name).write_text(json.dumps(told), "utf-8")
    assert font_manager.fontManager.ttflist
    code = "from pellucid.visualise.drawing import fonts; print(fonts.korean_font())"
    env = {**os.environ, "MPLCONFIGDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in fonts.KOREAN_FONTS and done.stderr == ""


def test_without_a_korean_font_the_advice_is_one_line(
    command: Command, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "korean_font", lambda: None)
    monkeypatch.setitem(fonts._state, "warned", False)
    named = tmp_path / "실행"
    named.mkdir()
    (named / "log.jsonl").write_bytes((run_folder / "log.jsonl").read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        _, _, err = command("show", "curves", named, "--out", tmp_path / "c.png")
    (line,) = err.splitlines()
    assert re.fullmatch(r"warning: no Korean font .* \(#1 is 실행\); .*", line)
