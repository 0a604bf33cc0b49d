"""Writes what the site is made of: the pages of docs/, those of the API, and the files that pages link to.

Run: python scripts/site_pages.py FOLDER

docs/ is read on its own as well, where links lead into the repository; a site holds nothing else, so here a file that
is linked becomes a page. Beside FOLDER mkdocs.yml is written, with the navigation: sections and pages of docs/index.md.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import yaml
from api_pages import MODULES, api_page

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
LINK = re.compile(r"(?<=\]\()([^)\s#]+)(#[^)\s]*)?(?=\))")
OTHER_LANGUAGE = re.compile(
    r"(?:(?:한국어|Korean|English|영어): )?\[(?:한국어|English|[\w-]+(?:\.ko)?\.md)\]\(([\w./-]+\.md)\)\.?"
)
KINDS = {".py": "python", ".hpp": "cpp", ".cpp": "cpp"}
APART = "repository"
"""The site's folder of files that do not lie in docs/."""


def page_of(file: Path) -> str:
    """The page, below the site's root, that stands for a file or folder of the repository."""
    if file.is_relative_to(DOCS) and file.suffix != ".py":
        return file.relative_to(DOCS).as_posix()
    name = file.relative_to(ROOT).as_posix()
    korean = name.endswith(".ko.md")
    name = (
        name.removesuffix(".md").removesuffix(".ko").replace(".", "_").lower()
    )  # the site takes a last .py for a language
    return f"{APART}/{name}{'.ko' if korean else ''}.md"


class Site:
    """Pages are added, and what they link to follows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.added: set[Path] = set()

    def add(self, file: Path) -> str:
        """Add a file or folder of the repository, once; the page it becomes."""
        page = page_of(file)
        if file in self.added:
            return page
        self.added.add(file)
        if file.suffix == ".md":
            text = self.linked(file, file.read_text("utf-8"))
        elif file.is_dir():
            inside = [one for one in sorted(file.iterdir()) if one.suffix in {*KINDS, ".md", ".txt"}]
            text = f"# {file.name}\n\n" + "".join(f"- [{one.name}](/{self.add(one)})\n" for one in inside)
            text = self.relative(page, text)
        elif file.suffix in {".png", ".jpg", ".svg", ".gif", ".css", ".js"}:
            (self.folder / page).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, self.folder / page)
            return page
        else:
            fence = f"````{KINDS.get(file.suffix, 'text')}\n{file.read_text('utf-8')}\n````\n"
            text = f"# {file.name}\n\n`{file.relative_to(ROOT).as_posix()}`\n\n{fence}"
        if page.startswith(APART) and file.name != "CHANGELOG.md":
            text = "---\nsearch:\n  exclude: true\n---\n" + text
        self.write(page, text)
        return page

    def write(self, page: str, text: str) -> None:
        """Write a page."""
        target = self.folder / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def linked(self, file: Path, text: str) -> str:
        """The text of a Markdown file, its links to what becomes a page of the site, here and now."""

        def page(found: re.Match[str]) -> str:
            if found[1].startswith(("http", "mailto:")):
                return found[0]
            target = (file.parent / found[1]).resolve()
            if not target.exists():
                raise SystemExit(f"{file.relative_to(ROOT)}: {found[1]} is not there")
            return f"/{self.add(target)}{found[2] or ''}"

        parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
        parts[::2] = [LINK.sub(page, without_other_language(file, part)) for part in parts[::2]]
        return self.relative(page_of(file), "".join(parts))

    def relative(self, page: str, text: str) -> str:
        """Links that count from the site's root, counted from a page; of a translation they find translations."""
        up = "../" * page.count("/")
        return re.sub(r"(?<=\]\()/([^)\s]+?)(\.ko)?(\.md)?(?=[)#])", rf"{up}\1\3", text)


def without_other_language(file: Path, text: str) -> str:
    """Without the sentence that leads to the translation: the site has a switch."""
    twin = file.with_name(file.name.replace(".ko.md", ".md") if ".ko." in file.name else f"{file.stem}.ko.md")

    def kept(found: re.Match[str]) -> str:
        return (
            "" if (file.parent / found[1]).resolve() == twin and found[0] != f"[{twin.name}]({twin.name})" else found[0]
        )

    return OTHER_LANGUAGE.sub(kept, text)


def sections(index: Path) -> dict[str, dict[str, str]]:
    """The headings of an index, each with the pages that are listed below it: what they are called there, and where."""
    found = {}
    for part in re.split(r"^## ", index.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        title, text = part.split("\n", 1)
        found[title] = dict(re.findall(r"^(?:\| |\d\. |- )\[([^\]]*)\]\(([^)#]+\.md)\)", text, re.MULTILINE))
    return {title: pages for title, pages in found.items() if pages}


def navigation(site: Site, index: Path) -> list[object]:
    """The sections of an index with their pages, as mkdocs' nav; an index has its own pages below it."""
    nav: list[object] = []
    for title, pages in sections(index).items():
        inside: list[object] = []
        for name, page in pages.items():
            file = (index.parent / page).resolve()
            if file.name != "index.md":
                inside.append(site.add(file))
                continue
            (chapters,) = (section.values() for section in sections(file).values())
            inside.append({name: [site.add(file), *(site.add(file.parent / chapter) for chapter in chapters)]})
        nav.append({title: inside})
    return nav


def korean_titles() -> dict[str, str]:
    """The Korean of what docs/index.md calls sections and tutorials. docs/index.ko.md must list the same pages."""
    english, korean = (sections(DOCS / name) for name in ("index.md", "index.ko.md"))
    titles = dict(zip(english, korean, strict=True))
    for section, other in titles.items():
        pages = [
            [page.replace(".ko.md", ".md") for page in found.values()] for found in (english[section], korean[other])
        ]
        if pages[0] != pages[1]:
            raise SystemExit(f"docs/index.ko.md: {other} lists other pages than {section} in docs/index.md")
        titles = titles | dict(zip(english[section], korean[other], strict=True))
    return titles


def main(folder: Path) -> None:
    """Write everything below a folder that is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    site = Site(folder)
    for file in sorted([*DOCS.rglob("*.md"), DOCS / "images" / "logo.svg", *DOCS.glob("site/*")]):
        site.add(file)
    for module in MODULES:
        site.write(f"api/{module}.md", api_page(module))
    site.write("api/index.md", api_page(None))
    nav = [
        "index.md",
        *navigation(site, DOCS / "index.md"),
        {"API": ["api/index.md", *(f"api/{one}.md" for one in MODULES)]},
    ]
    english = {"locale": "en", "name": "English", "build": True, "default": True}
    languages = [english, {"locale": "ko", "name": "한국어", "build": True, "nav_translations": korean_titles()}]
    settings = {
        "INHERIT": str(ROOT / "mkdocs.yml"), "docs_dir": folder.name, "site_dir": "site", "nav": nav,
        "plugins": {"i18n": {"languages": languages}},
    }  # fmt: skip
    text = yaml.safe_dump(settings, allow_unicode=True, sort_keys=False)
    (folder.parent / "mkdocs.yml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
