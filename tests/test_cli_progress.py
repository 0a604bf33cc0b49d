"""Long work shows itself: a bar on a terminal, a line now and then elsewhere, and every command has one."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from commands import Command
from screen import Screen, appears

from pellucid import _progress as progress
from pellucid._progress import WorkBar, working


def test_counted_work_has_a_bar_that_goes(screen: Screen) -> None:
    with WorkBar() as bar:
        bar(1, 4, "reading pictures [all]")
        assert appears(screen, "reading pictures [all]") and appears(screen, "25%")
    assert screen.getvalue().endswith(("\x1b[2K", "\x1b[?25h")) or "\x1b[2K" in screen.getvalue().rpartition("25%")[2]
    assert WorkBar._outermost is None


def test_uncounted_work_is_shown_when_it_takes_long(screen: Screen) -> None:
    with working("reading a file"):
        pass
    time.sleep(0.1)
    assert screen.seen == ""
    with working("reading another") as bar:
        assert appears(screen, "reading another")
        bar(1, 2, "pictures")
        assert appears(screen, "pictures")
    assert "%" not in screen.seen.partition("pictures")[0], "nobody knows how much of it is done"


def test_a_bar_inside_another_draws_on_that_one(screen: Screen) -> None:
    with WorkBar() as outer:
        outer(1, 2, "outer")
        with WorkBar() as inner:
            inner(1, 2, "inner")
            assert inner._bar is None and outer._bar is not None and len(outer._bar.tasks) == 2
        assert outer._bar is not None, "the inner block ends, the bar stays"
        with working("still more"):
            assert appears(screen, "still more")


def test_no_bar_is_left_after_an_error(screen: Screen) -> None:
    with pytest.raises(KeyboardInterrupt), working("something") as bar:
        bar(1, 2, "counted")
        raise KeyboardInterrupt
    assert bar._bar is None and WorkBar._outermost is None
    assert screen.getvalue().endswith("\x1b[?25h") or "\x1b[?25h" in screen.getvalue(), "the cursor is back"


def test_lines_now_and_then_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr("sys.stderr", file)
    with working("reading") as bar:
        bar(1, 2, "pictures")
    assert file.getvalue() == ""
    monkeypatch.setattr(progress, "LINE_S", 0.0)
    with WorkBar() as bar:
        bar(1, 4, "pictures")
        bar.busy("writing")
        end = time.monotonic() + 5
        while "writing" not in file.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
    assert file.getvalue() == "pictures: 25%\nwriting ...\n"


def test_quiet_is_quiet(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    with working("reading", quiet=True) as bar:
        bar(1, 2, "pictures")
        time.sleep(0.1)
    assert screen.getvalue() == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["evaluate", "RUN"], {"reading RUN", "judging pictures"}),
        (["predict", "RUN", "PICTURES"], {"reading RUN", "pictures"}),
        (["show", "filters", "RUN", "--out", "TMP/f.png"], {"reading RUN", "drawing TMP/f.png"}),
        (["show", "architecture", "lenet5", "--out", "TMP/a.png"], {"making lenet5", "drawing TMP/a.png"}),
        (["show", "features", "RUN", "--out", "TMP/f.png"], {"following the picture", "drawing TMP/f.png"}),
        (["show", "arithmetic", "RUN", "--out", "TMP/f.png"], {"following the picture"}),
        (["show", "histograms", "RUN", "--out", "TMP/h.png"], {"following 100 test pictures"}),
        (["show", "confusion", "RUN", "--out", "TMP/c.png"], {"judging pictures"}),
        (
            ["show", "attribution", "RUN", "--method", "occlusion", "--out", "TMP/o.png"],
            {"covering the picture", "drawing TMP/o.png"},
        ),
        (
            ["show", "excite", "RUN", "--layer", "conv1", "--channel", "0", "--found", "--out", "TMP/e.png"],
            {"searching pictures"},
        ),
        (["train", "--epochs", "1", "--out", "TMP/run"], {"drawing curves and filters", "judging pictures"}),
    ],
    ids=lambda given: " ".join(given[:2]) if isinstance(given, list) else "",
)
def test_every_command_that_may_take_long_says_what_it_does(
    words: list[str],
    told: set[str],
    command: Command,
    run_folder: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On slow work each of these stands on the screen; here only that it is announced is asked."""
    said: set[str] = set()
    monkeypatch.setattr(WorkBar, "__call__", lambda self, done, total, what: said.add(what))
    monkeypatch.setattr(WorkBar, "busy", lambda self, what: said.add(what))
    places = {"RUN": str(run_folder), "PICTURES": str(pictures), "TMP": str(tmp_path)}

    def placed(text: str) -> str:
        for name, place in places.items():
            text = text.replace(name, place)
        return text

    assert command(*map(placed, words))[0] == 0
    assert {placed(text) for text in told} <= said
