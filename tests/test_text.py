"""Text from strangers: what reaches a terminal, JSON and spreadsheets of it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from rich.cells import cell_len
from screen import Screen

from pellucid._text import csv_text, json_text, printable, say
from pellucid.cli.output import write_table

STEERING = [
    "\x00",
    "\x07",
    "\x1b[2J",
    "\r",
    "\n",
    "\t",
    "\x7f",
    "\x9b2J",
    "\u2028",
    "\u2029",
    "\u202e",
    "\u2066",
    "\udcff",
]


@pytest.mark.parametrize("part", STEERING, ids=ascii)
def test_nothing_steers_a_terminal(part: str) -> None:
    name = f"a{part}b"
    for text in (printable(name), json_text([name], indent=0).replace("\n", "")):
        assert all(c.isprintable() for c in text), ascii(text)
        assert text.encode("utf-8")
    assert json.loads(json_text({name: name})) == {name: name}


def test_what_people_write_stays() -> None:
    for name in ("고양이.png", "chat élégant", "👩\u200d🔬", "a\u3000b", "a\xa0b", "naïve 1"):
        assert printable(name) == name


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp949", "utf-8"])
def test_no_console_is_too_poor(encoding: str) -> None:
    written = io.BytesIO()
    console = io.TextIOWrapper(written, encoding=encoding)
    say("고양이 🐈 \udcff\nline", console)
    text = written.getvalue().decode(encoding)
    assert text.endswith("\nline\n") and "\\udcff" in text
    assert ("\\U0001f408" in text) == (encoding != "utf-8")


def test_a_console_that_is_gone_or_missing_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    say("nobody reads this", Full())
    monkeypatch.setattr("sys.stdout", None)
    say("nobody reads this")


FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "\uff1d1",
    "\uff0d1+1",
    "x;=1+1",
]


@pytest.mark.parametrize("text", FORMULAS, ids=ascii)
def test_no_cell_is_a_formula(text: str, tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", ["class", "p"], [[text, -0.5]])
    rows = list(csv.reader(io.StringIO((tmp_path / "t.csv").read_text("utf-8-sig"))))
    assert rows[0] == ["class", "p"] and rows[1][1] == "-0.5"
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(csv_text([text], [[text]])), delimiter=separator):
            assert all(
                cell.strip().lstrip("\ufeff")[:1] not in tuple("=+-@\uff1d\uff0d\t\r\n") for cell in row if cell
            ), row


def test_numbers_and_names_stay_as_they_are() -> None:
    assert csv_text(["a", "b", "c", "d"], [[-1.5, "-3", 'cat, "big"', None]]) == 'a,b,c,d\n-1.5,-3,"cat, ""big""",\n'
    assert csv_text(["이름"], []).startswith("\ufeff")  # by which Excel knows UTF-8


def test_a_table_as_json_has_its_names_or_the_records(tmp_path: Path) -> None:
    write_table(tmp_path / "t.json", ["a", "b"], [[1, "=x"]])
    assert json.loads((tmp_path / "t.json").read_text()) == [{"a": 1, "b": "=x"}]
    write_table(tmp_path / "t.json", ["a"], [[1]], [{"other": 1}])
    assert json.loads((tmp_path / "t.json").read_text()) == [{"other": 1}]


@pytest.mark.parametrize("room", [20, 40, 80])
def test_sentences_are_broken_between_words(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(room))
    path = "/home/somebody/pictures/고양이-of-last-summer"
    text = f"pellucid: {path}: no such folder; data is a name (digits, mnist) or 사진이 들어 있는 a folder"
    screen, file = Screen(), io.StringIO()
    say(text, screen, prose=True)
    say(text, file, prose=True)
    lines = screen.seen.rstrip("\n").split("\n")
    assert " ".join(line.strip() for line in lines) == text == file.getvalue().rstrip("\n")
    assert all(cell_len(line) <= room or len(line.split()) == 1 for line in lines) and len(lines) > 1
    say("a   table's line, however long it is, stays a line", screen)
    assert screen.seen.endswith("\na   table's line, however long it is, stays a line\n")
