"""What commands print fits a terminal of 80 columns: nothing is cut, no path and no example breaks in the middle."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from commands import Command

from pellucid import Conv2D, Input, ReLU, Sequential
from pellucid._text import say, text_columns
from pellucid.cli import output
from pellucid.cli.app import app

WIDTH = 80
LONGEST_HELP = 75


def every_command(group: Any, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from every_command(command, *path, name)


ROOT = typer.main.get_command(app)
COMMANDS = list(every_command(ROOT))


def examples(path: tuple[str, ...]) -> list[str]:
    command: Any = ROOT
    for name in path:
        command = command.commands[name]
    return [line for line in (command.epilog or "").split("\n") if "   " in line]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("TERM", "dumb")
    screen = Terminal()
    monkeypatch.setattr(output, "say", functools.partial(say, file=screen))
    monkeypatch.setattr(output, "sys", SimpleNamespace(stdout=screen, stderr=sys.stderr))
    return screen


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_fits(path: tuple[str, ...], command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", WIDTH)  # read once, when it is imported
    status, out, _ = command(*path, "--help")
    lines = out.strip().splitlines()
    assert status == 0 and len(lines) <= LONGEST_HELP, f"{len(lines)} lines"
    assert all(len(line) <= WIDTH for line in lines) and "…" not in out
    told = examples(path)
    assert told or path in (("show",), ("data",), ("weights",)), "a command has an example"
    assert all(text.strip() in out for text in told), "an example was wrapped: continue it with a backslash"


def test_train_names_its_options_in_panels(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    _, out, _ = command("train", "--help")
    assert [name for name in ("Pictures", "Learning", "Where to begin") if f"─ {name} ─" in out][2:]


@pytest.mark.parametrize("length", [10, 60, 120])
def test_a_path_in_a_table_stays_whole(length: int, terminal: Terminal) -> None:
    path = "/" + "d" * (length // 2) + "/with a space/" + "e" * (length // 2) + ".png"
    output.print_table(["picture", "what is wrong with it"], [[path, "some words " * 9]], whole=[0])
    assert path in terminal.getvalue()


def test_the_list_of_data_sets_fits(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal
) -> None:
    from pellucid.cli import main
    from pellucid.datasets import locate

    place = locate("mnist")
    far = tmp_path / ("a-folder-far-away-" * 4) / "and its data"
    far.mkdir(parents=True)
    if place is not None:
        os.symlink(place, far / "mnist")
    monkeypatch.setenv("PELLUCID_DATA", str(far))
    assert main(["data", "list"]) == 0
    lines = terminal.getvalue().splitlines()
    assert all(len(line) <= WIDTH or str(far) in line for line in lines), terminal.getvalue()
    assert sum("digits" in line for line in lines) and (place is None or str(far / "mnist") in terminal.getvalue())


@pytest.mark.parametrize(
    "name", ["block_one_convolution_one_of_the_first_stage_of_the_network", "x" * 60, "합성곱층" * 15]
)
def test_no_two_layers_of_a_summary_look_equal(name: str) -> None:
    names = [name[:place] + letter + name[place + 1 :] for place in range(0, 60, 7) for letter in "ab가"]
    model = Sequential([Input((64, 64, 300)), *(ReLU(name=each) for each in names), Conv2D(64, 11, name="last")])
    model.build()
    lines = str(model.outline()).splitlines()
    assert all(text_columns(line) <= WIDTH for line in lines) and "…" not in "".join(lines)
    shown, starts = [], [line.index("64x64x300") for line in lines if "64x64x300" in line]
    for line in lines[3:-4]:
        if "64x64x300" in line:
            shown.append(line.partition("64x64x300")[0].strip())
        elif shown and "last" not in line:
            shown[-1] += line.strip()
    assert starts and shown == names
