"""Korean words in figures: an installed Korean font for them, or numbers in their place, never empty boxes."""

from __future__ import annotations

import contextlib
import logging
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pellucid.visualise.drawing.figure import ready

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KOREAN_FONTS = (
    "Malgun Gothic",  # Windows
    "Apple SD Gothic Neo",  # macOS
    "AppleGothic",
    "NanumGothic",
    "NanumBarunGothic",
    "NanumSquare",
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "Noto Sans CJK JP",  # the first face of the collection that Linux installs, with Hangul too
)
HANGUL = re.compile(r"[ᄀ-ᇿ㄰-㆏ꥠ-꥿가-힣ힰ-퟿]")
_WORDS = re.compile(rf"{HANGUL.pattern}+(?: {HANGUL.pattern}+)*")
_state = {"warned": False, "searched": False}


def korean_font() -> str | None:
    """The first font of KOREAN_FONTS that is installed.

    Matplotlib keeps a list of fonts that it does not renew, so where it knows no Korean one, those that came since are
    looked for on the disk, once in a process.
    """
    found = _listed_font()
    if found is None and not _state["searched"]:
        _state["searched"] = True
        _list_new_fonts()
        found = _listed_font()
    return found


def _listed_font() -> str | None:
    ready()
    from matplotlib import font_manager

    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    return next((name for name in KOREAN_FONTS if name in installed), None)


def _list_new_fonts() -> None:
    from matplotlib import font_manager

    listed = {entry.fname for entry in font_manager.fontManager.ttflist}
    for file in sorted(set(font_manager.findSystemFonts()) - listed):
        with contextlib.suppress(Exception):  # a broken font is not the one we look for
            font_manager.fontManager.addfont(file)


@contextlib.contextmanager
def quiet_fonts() -> Iterator[None]:
    """Matplotlib takes the nearest weight of a font that has no bold letters, and nobody need hear of it."""
    log = logging.getLogger("matplotlib.font_manager")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def prepare(figure: Figure, *, as_text: bool) -> None:
    """Make the figure's Korean words readable: in a Korean font, or, with none installed, as #1, #2 and so on.

    as_text: the file keeps text as text (SVG), so that whoever shows it brings the font; words stay as they are.
    Warns once, with what #1 is, where words are replaced.
    """
    from matplotlib.text import Text

    ticks = [label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in axis.get_ticklabels()]
    texts = [text for text in [*figure.findobj(Text), *ticks] if isinstance(text, Text)]
    korean = [text for text in texts if HANGUL.search(text.get_text())]
    if not korean:
        return
    font = korean_font()
    if font is not None or as_text:
        for text in korean:
            text.set_fontfamily(["DejaVu Sans", font or "sans-serif"])
        if font is not None:
            return
    if as_text:
        return
    numbers: dict[str, str] = {}

    def number(found: Any) -> str:
        return numbers.setdefault(found[0], f"#{len(numbers) + 1}")

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels = [label.get_text() for label in axis.get_ticklabels()]
            if any(map(HANGUL.search, labels)):
                axis.set_ticks(axis.get_ticklocs(), labels=[_WORDS.sub(number, label) for label in labels])
    for text in korean:
        text.set_text(_WORDS.sub(number, text.get_text()))
    if not _state["warned"]:
        _state["warned"] = True
        pairs = ", ".join(f"{label} is {words}" for words, label in numbers.items())
        warnings.warn(
            f"no Korean font is installed, so figures write numbers for Korean words ({pairs}); "
            "install one, e.g. NanumGothic (Debian and Ubuntu: apt install fonts-nanum), or write SVG",
            RuntimeWarning,
            stacklevel=3,
        )
