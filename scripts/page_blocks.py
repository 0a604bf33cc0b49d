"""The fenced blocks of the documentation's pages: read, and run as a reader would.

python   runs; the blocks of a page share their names, and pages of a tutorial the folder
console  lines "$ pellucid ...", in this process; a server stays up to the end of the page, at a free port
text     what the block before it prints, or says on standard error, "..." standing for anything
about    the same, with numbers of a training: on another instruction set they are a little different
sh       what is not run: how something is installed
"""

from __future__ import annotations

import codeop
import contextlib
import doctest
import io
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pellucid.cli import main

BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SERVERS = ("lab", "serve")
START_S = 120.0
"""What a server may take to answer, on a machine that does other things as well."""


def blocks(page: Path, *kinds: str) -> list[str]:
    """The fenced blocks of these kinds, in order."""
    return [text for kind, text in BLOCK.findall(page.read_text("utf-8")) if kind in kinds]


def lines(page: Path, *kinds: str) -> list[str]:
    """The lines of these blocks, without the prompt."""
    return [line.strip().removeprefix("$ ") for block in blocks(page, *kinds) for line in block.splitlines()]


def chapters(folder: Path) -> list[Path]:
    """The pages of a tutorial, in order."""
    return sorted(path for path in folder.glob("[1-9]-*.md") if not path.name.endswith(".ko.md"))


def differs(said: str, printed: str) -> str:
    """How what was printed differs from what a page says; nothing where it does not."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    checker = doctest.OutputChecker()
    return "" if checker.check_output(said, printed, flags) else f"the page says\n{said}\nand there came\n{printed}"


def differs_much(said: str, printed: str) -> str:
    """As `differs`; numbers may be others, by a tenth and one in the last place."""
    parts = re.split(r"(\d[\d,]*(?:\.\d+)?|\.\.\.|\s+)", said.strip())  # numbers, gaps and spaces, and words between
    number, gap, space = r"(\d[\d,]*(?:\.\d+)?)", ".*?", r"\s+"
    kinds = ((str.isspace, space), ("...".__eq__, gap), (lambda part: part[:1].isdigit(), number))
    pattern = "".join(next((form for fits, form in kinds if fits(part)), re.escape(part)) for part in parts)
    found = re.fullmatch(pattern, printed.strip(), re.DOTALL)
    numbers = [part for part in parts if part[:1].isdigit()]
    if found and all(_near(*pair) for pair in zip(numbers, found.groups(), strict=True)):
        return ""
    return f"the page says about\n{said}\nand there came\n{printed}"


def _near(said: str, printed: str) -> bool:
    expected, got = (float(text.replace(",", "")) for text in (said, printed))
    return abs(got - expected) <= 0.1 * expected + 10.0 ** -len(said.partition(".")[2])


def refused_at_the_prompt(block: str) -> str:
    """What is wrong with a block for who pastes it at Python's prompt, where an empty line ends what is indented and
    nothing else does; nothing where all is well."""
    pending: list[str] = []
    for line in [*block.splitlines(), ""]:
        pending.append(line)
        try:
            if codeop.compile_command("\n".join(pending), symbol="single"):
                pending = []
        except SyntaxError as error:
            return f"{error.msg}: {line}"
    return "\n".join(pending).strip()


def run_page(page: Path, *, compare: bool = True) -> None:
    """Run a page's blocks in the folder that is current. Errors: AssertionError where one fails or prints otherwise.

    compare: whether what is printed must be what the page says; in another language it is not.
    """
    names: dict[str, Any] = {"__name__": "page"}
    found = BLOCK.findall(page.read_text("utf-8"))
    ports: dict[str, str] = {}
    with contextlib.ExitStack() as servers:
        for (kind, text), (next_kind, said) in zip(found, [*found[1:], ("", "")], strict=True):
            printed, told = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
                if kind == "python":
                    code = re.sub("|".join(ports) or "(?!)", lambda port: ports[port[0]], text)
                    exec(compile(code, str(page), "exec"), names)
                for line in text.splitlines() if kind == "console" else ():
                    program, command, *words = shlex.split(line.removeprefix("$ "))
                    assert program == "pellucid", line
                    if command in SERVERS:
                        port = words[words.index("--port") + 1]
                        ports[port] = servers.enter_context(_server(command, words, port))
                    else:
                        assert main([command, *words]) == 0, f"{page.name}: {line}"
            judge = {"text": differs, "about": differs_much}.get(next_kind)
            if compare and judge and kind in ("python", "console"):
                wrong = judge(said, printed.getvalue())
                assert not wrong or not judge(said, told.getvalue()), f"{page.name}: {wrong}{told.getvalue()}"


@contextlib.contextmanager
def _server(command: str, words: list[str], port: str) -> Iterator[str]:
    """A server, up; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        own = str(free.getsockname()[1])
    words = [own if word == port else word for word in words]
    started = subprocess.Popen([sys.executable, "-m", "pellucid", command, *words], stdout=-3, stderr=-3)
    try:
        until = time.monotonic() + START_S
        while started.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(own)), 1):
                break
            time.sleep(0.05)
        assert started.poll() is None, f"pellucid {command} {shlex.join(words)} ended"
        yield own
    finally:
        started.terminate()
        started.wait()
