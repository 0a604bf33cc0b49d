"""What the README shows is run: every Python block, every console line; and both languages show the same."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from page_blocks import blocks, lines

from pellucid.cli import main

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "README.md"
LANGUAGES = ("README.md", "README.ko.md")


@pytest.fixture(scope="module")
def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_python_blocks_run_one_after_the_other(tmp_path: Path) -> None:
    code = "\n".join(blocks(PAGE, "python"))
    assert code.count("import pellucid") >= 1
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Conv2D" in done.stdout or "conv2d" in done.stdout, "summary() prints the layers"
    assert (tmp_path / "conv2d.png").stat().st_size > 1000


def test_the_console_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    commands = lines(PAGE, "console")
    assert len(commands) >= 5 and all(line.startswith("pellucid ") for line in commands)
    for line in commands:
        assert main(shlex.split(line)[1:]) == 0, line
    assert {"filters.png", "curves.svg"} <= {path.name for path in tmp_path.iterdir()}


def test_every_other_command_is_one_there_is(text: str) -> None:
    for line in re.findall(r"^pellucid (.*)$", text, re.MULTILINE):
        assert main([shlex.split(line)[0], "--help"]) == 0, line


def test_both_languages_have_the_same_links(text: str) -> None:
    korean = (ROOT / "README.ko.md").read_text(encoding="utf-8")
    links = [set(re.findall(r"\]\(([^)]+)\)", language)) - set(LANGUAGES) for language in (text, korean)]
    assert all((ROOT / link).is_file() for link in links[1] if ".ko." in link)
    links[1] = {link.replace(".ko.", ".") for link in links[1]}  # a page's translation stands for it
    assert links[0] == links[1]
    assert all(link.startswith("http") or (ROOT / link.split("#")[0]).exists() for link in links[0])


def test_the_gate_runs_the_readmes_own_test_command() -> None:
    assert "scripts/test\n" in blocks(PAGE, "sh")
    assert re.search(r"^scripts/test\b", (ROOT / "scripts" / "check").read_text(), re.MULTILINE)
    assert re.search(r"^scripts/check$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
