"""The site: its pages are those of docs/index.md, public names have docstrings, faults of a built one are found."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import api_pages
import pytest
import site_check
from site_pages import DOCS, Site, navigation, sections

import pellucid

griffe = pytest.importorskip("griffe", reason="griffe, of the extra test, is not installed")
from docstring_slots import markdown  # noqa: E402 (it needs griffe)


def test_every_page_is_in_the_navigation_in_both_languages() -> None:
    listed = {page for pages in sections(DOCS / "index.md").values() for page in pages.values()}
    korean = {page for pages in sections(DOCS / "index.ko.md").values() for page in pages.values()}
    assert {page.replace(".ko.md", ".md") for page in korean} == listed
    chapters = {path.relative_to(DOCS).as_posix() for path in (DOCS / "tutorial").rglob("[1-9]-*.md")}
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} - chapters - {"index.md", "index.ko.md"}
    assert {page for page in pages if not page.endswith(".ko.md")} == {page for page in listed if page[:3] != "../"}
    assert pages >= {page for page in korean if page[:3] != "../"}


def test_the_extra_docs_brings_what_the_api_imports() -> None:
    extras = tomllib.loads((DOCS.parent / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    asked = """
import sys
from pellucid import _modules
given = _modules.optional
_modules.optional = lambda name, extra, by: print(extra) or given(name, extra, by)
sys.path.insert(0, "scripts")
import api_pages
api_pages.api_page("pellucid")"""
    program = [sys.executable, "-c", asked]
    needed = subprocess.run(program, cwd=DOCS.parent, capture_output=True, text=True, check=True).stdout.split()
    brought = re.search(r"pellucid\[([\w,]+)\]", " ".join(extras["docs"]))
    assert needed and brought and set(needed) <= set(brought[1].split(","))


def test_the_pages_link_to_what_becomes_a_page(tmp_path: Path) -> None:
    site = Site(tmp_path)
    nav = navigation(site, DOCS / "index.md")
    assert [next(iter(section)) for section in nav] == list(sections(DOCS / "index.md"))  # type: ignore[call-overload]
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.md")}
    for path in tmp_path.rglob("*.md"):
        prose = re.sub(r"^(`{3,}).*?^\1$|`[^`\n]*`", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose):
            assert link.startswith("http") or (path.parent / link).resolve().is_file(), f"{path}: {link}"
    assert {"repository/examples.md", "repository/changelog.md", "tutorial/student/5-training.md"} <= written


def test_every_public_name_has_a_docstring_on_its_page() -> None:
    found = griffe.load("pellucid", search_paths=[str(Path(pellucid.__file__).parents[1])])
    described = set()
    for module in api_pages.MODULES:
        here, elsewhere, modules = api_pages.named(module)
        page = api_pages.api_page(module)
        names = {name for several in here.values() for name in several} | set(elsewhere) | set(modules)
        assert names == set(api_pages.public(module)) and all(f'<a id="{module}.{name}">' in page for name in names)
        for place in here:
            obj = found[place.removeprefix("pellucid.")]
            assert obj.docstring or api_pages.spoken(place), f"{place} has no docstring"
            described.add(place)
        for value in modules.values():
            assert api_pages.first_line(value), value
    public = {name for name in pellucid.__all__ if not isinstance(getattr(pellucid, name), ModuleType)}
    assert len(described) > 600 and public - {"__version__"} <= set(api_pages.public("pellucid"))


def test_formulas_stay_as_they_are_typed() -> None:
    text = markdown(inspect.cleandoc(pellucid.MaxPool2D.__doc__ or ""))
    assert r"i\*SH+a" in text and "\n\n**Shapes**: x (N,H,W,C)" in text and "\n\n**Source**: " in text
    assert markdown("Sum.\n\n>>> 1 + 1\n2") == "Sum.\n\n```pycon\n>>> 1 + 1\n2\n```"


def test_faults_of_a_built_site_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_check, "MODULES", ("pellucid.serve",))
    (tmp_path / "api").mkdir()
    page = tmp_path / "api" / "pellucid.serve.html"
    page.write_text('<a id="pellucid.serve.make_app"></a><a href="#pellucid.serve.make_app">x</a>', "utf-8")
    assert site_check.faults(tmp_path) == []
    page.write_text('<a href="gone.html"></a><a href="#gone"></a><script src="https://a.b/c.js"></script>', "utf-8")
    (tmp_path / "a.css").write_text("@import url('https://a.b/c.css'); b { background: url(//a.b/d.png) }", "utf-8")
    assert site_check.faults(tmp_path) == [
        "api/pellucid.serve.html: gone.html is not there",
        "api/pellucid.serve.html: #gone has no such place",
        "api/pellucid.serve.html: loads https://a.b/c.js",
        "a.css: loads https://a.b/c.css",
        "a.css: loads //a.b/d.png",
        "api/pellucid.serve.html: make_app is missing",
    ]
