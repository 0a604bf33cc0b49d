"""Augmentation: each picture a little different in each epoch. A table of kinds, and what is drawn of them.

A kind is a function under `@kind(...)`: given random numbers, it changes what is to happen to each picture. Where its
pixels come from is one affine map, its colours one matrix; so a picture is gone through once however many kinds there
are (`ops.augment`). All that is drawn depends on seed, epoch and the picture's number alone, see `Augmentation.draw`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid import ops
from pellucid.errors import ConfigError, expect_known, shown, unknown_name
from pellucid.ops import BORDERS
from pellucid.ops.changes import Changes

Array = NDArray[Any]

BRIGHTNESS = np.array([0.299, 0.587, 0.114])
YIQ = np.array([BRIGHTNESS, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
"""Brightness, and two colours that a change of hue turns into each other. Source: NTSC 1953, in FCC's numbers."""


@dataclass(frozen=True)
class Kind:
    """A kind of augmentation. usual: its amount where none is said; 0 is nothing, `most` the largest there is.

    words: what it does, with {amount}. unit: "%" for a share of one, or what else the amount is in. uniforms: random
    numbers that it takes for each picture.
    """

    name: str
    change: Callable[[Changes, float, Array], None]
    usual: float
    most: float
    unit: str
    uniforms: int
    words: str

    def in_words(self, amount: float, say: Callable[..., str] = lambda text, **given: text.format(**given)) -> str:
        """What it does; `say` may put these into another language.

        >>> KINDS["rotate"].in_words(15)
        'turned by up to 15° either way'
        """
        value = f"{100 * amount:.4g} %" if self.unit == "%" else f"{amount:.4g}{self.unit}"
        return say(self.words, amount=value)


KINDS: dict[str, Kind] = {}
"""By name, in the order in which they are applied. A new one goes to the end: its place is part of what is drawn."""


def kind(
    usual: float, most: float, unit: str, uniforms: int, words: str
) -> Callable[[Callable[[Changes, float, Array], None]], Callable[[Changes, float, Array], None]]:
    """Enter the function below, `change(changes, amount, u)`, u (uniforms, n) from 0 to 1, under its own name."""

    def enter(change: Callable[[Changes, float, Array], None]) -> Callable[[Changes, float, Array], None]:
        name = change.__name__
        KINDS[name] = Kind(name, change, usual, most, unit, uniforms, words)
        return change

    return enter


def either_way(u: Array) -> Array:
    """From -1 to 1."""
    return 2 * u - 1


@kind(1 / 8, 1, "%", 2, "moved by whole pixels, up to {amount} of the shorter side")
def crop(changes: Changes, amount: float, u: Array) -> None:
    """Pad, and cut the old size out: Lee et al. 2015, section 4; He et al. 2016, section 4.2 (4 of 32 pixels)."""
    pad = max(1, int(amount * min(changes.height, changes.width)))
    right, down = np.floor(u * (2 * pad + 1)) - pad
    changes.move(x=-right, y=-down)


@kind(0.5, 1, "%", 1, "mirrored left and right, with probability {amount}")
def flip(changes: Changes, amount: float, u: Array) -> None:
    changes.move(xx=np.where(u[0] < amount, -1, 1))


@kind(0.5, 1, "%", 1, "mirrored top and bottom, with probability {amount}")
def flip_vertical(changes: Changes, amount: float, u: Array) -> None:
    changes.move(yy=np.where(u[0] < amount, -1, 1))


@kind(0.65, 0.99, "%", 4, "up to {amount} of the area cut away, the rest enlarged")
def resized_crop(changes: Changes, amount: float, u: Array) -> None:
    """Szegedy et al. 2015, section 6: its shape is changed by up to 4:3 either way, too."""
    area, ratio = 1 - amount * u[0], (4 / 3) ** either_way(u[1])
    across, down = np.minimum(np.sqrt([area * ratio, area / ratio]), 1)
    right, below = (changes.width * (1 - across) / 2, changes.height * (1 - down) / 2)
    changes.move(xx=across, yy=down, x=right * either_way(u[2]), y=below * either_way(u[3]))


@kind(15, 180, "°", 1, "turned by up to {amount} either way")
def rotate(changes: Changes, amount: float, u: Array) -> None:
    angle = np.deg2rad(amount) * either_way(u[0])
    cos, sin = np.cos(angle), np.sin(angle)
    changes.move(xx=cos, xy=sin, yx=-sin, yy=cos)


@kind(0.2, 3, "%", 1, "larger or smaller by up to {amount}")
def zoom(changes: Changes, amount: float, u: Array) -> None:
    size = (1 + amount) ** -either_way(u[0])
    changes.move(xx=size, yy=size)


@kind(0.1, 1, "%", 2, "moved by up to {amount} of each side")
def shift(changes: Changes, amount: float, u: Array) -> None:
    right, down = amount * either_way(u)
    changes.move(x=right * changes.width, y=down * changes.height)


@kind(0.3, 1, "%", 1, "brighter or darker by up to {amount}")
def brightness(changes: Changes, amount: float, u: Array) -> None:
    factor = 1 + amount * either_way(u[0])
    changes.colour *= factor
    changes.grey *= factor
    changes.mean *= factor


@kind(0.3, 1, "%", 1, "contrast higher or lower by up to {amount}")
def contrast(changes: Changes, amount: float, u: Array) -> None:
    """Towards the picture's mean brightness, or away from it."""
    factor = 1 + amount * either_way(u[0])
    changes.colour *= factor
    changes.grey = factor * changes.grey + (1 - factor) * changes.mean


@kind(0.3, 1, "%", 1, "colours stronger or paler by up to {amount}")
def saturation(changes: Changes, amount: float, u: Array) -> None:
    factor = 1 + amount * either_way(u[0])
    changes.recolour(factor * np.eye(3)[..., None] + (1 - factor) * np.tile(BRIGHTNESS, (3, 1))[..., None])


@kind(10, 180, "°", 1, "colours turned by up to {amount} on the colour circle")
def hue(changes: Changes, amount: float, u: Array) -> None:
    """At the same brightness."""
    angle = np.deg2rad(amount) * either_way(u[0])
    there, back = YIQ[:, None, :, None], np.linalg.inv(YIQ).T[:, :, None, None]
    turned = (there[1] * back[1] + there[2] * back[2]) * np.cos(angle)
    turned = turned + (there[1] * back[2] - there[2] * back[1]) * np.sin(angle)
    changes.recolour(there[0] * back[0] + turned)


@kind(0.5, 1, "%", 2, "a square of {amount} of the shorter side made grey")
def cutout(changes: Changes, amount: float, u: Array) -> None:
    """DeVries & Taylor 2017: its middle anywhere in the picture, so that a part of it may lie outside."""
    side = max(1, round(amount * min(changes.height, changes.width)))
    down, right = np.floor(u * [[changes.height], [changes.width]]) - side // 2
    changes.box = np.maximum([down, right, down + side, right + side], 0)


@kind(0.2, 2, "", 2, "mixed with another picture, labels too; shares from Beta({amount}, {amount})")
def mixup(changes: Changes, amount: float, u: Array) -> None:
    """Zhang et al. 2018. A symmetric beta is a Student's t, squeezed into 0 to 1: Bailey 1994, Devroye 1996."""
    cosine = np.cos(2 * np.pi * u[1])
    square = (u[0] ** (-1 / max(amount, 0.05)) - 1) * cosine**2
    changes.share = (1 + np.sign(cosine) * np.sqrt(square / (1 + square))) / 2


PRESETS = {
    "none": "",
    "standard": "crop=0.125,flip=0.5,border=constant",
    "strong": "resized_crop=0.65,flip=0.5,rotate=10,brightness=0.3,contrast=0.3,saturation=0.3,hue=10,cutout=0.25",
}
"""Names for several kinds at once. standard: what CIFAR-10 is usually trained with; strong: for few photographs."""
COUNTERS = 0xA06 << 16
"""Where those of augmentation begin, apart from those of other draws by the same seed."""
CHUNK = 4096
"""Pictures that are drawn for at once."""
MIRRORS = ("flip", "flip_vertical")
EXAMPLE = "standard,rotate=15,zoom"


@dataclass(frozen=True)
class Augmentation:
    """Kinds of augmentation with their amounts; border: what lies beyond the edge of a picture, see `ops.augment`.

    Made by `Augmentation.of`.
    """

    amounts: Mapping[str, float]
    border: str = "reflect"

    @classmethod
    def of(cls, given: Any, *, mirror: bool = True) -> Augmentation | None:
        """The augmentation of a text such as "standard,rotate=15,zoom", or of a mapping {"rotate": 15}.

        What stands later holds; 0 takes a kind out. mirror: whether presets mirror, as digits and letters must not be.
        None where nothing is left.
        Errors: ConfigError for an unknown kind, or an amount that it has not.
        """
        if isinstance(given, Augmentation):
            return given
        if isinstance(given, str):
            entries = [entry.partition("=")[::2] for entry in given.replace(" ", "").split(",") if entry]
        elif isinstance(given, Mapping):
            entries = list(given.items())
        else:
            raise ConfigError(f"augment must be a text such as {EXAMPLE!r} or {{'rotate': 15}}, got {shown(given)}")
        amounts, border = _read(entries, mirror)
        kept = {name: amounts[name] for name in KINDS if amounts.get(name)}
        return cls(kept, border) if kept else None

    def __str__(self) -> str:
        """As `of` reads it.

        >>> print(Augmentation.of({"zoom": 0.1, "flip": 1}))
        flip=1,zoom=0.1,border=reflect
        """
        amounts = (f"{name}={repr(value).removesuffix('.0')}" for name, value in self.amounts.items())
        return ",".join([*amounts, f"border={self.border}"])

    @property
    def mixes(self) -> bool:
        """Whether pictures are mixed, so that their targets must be."""
        return "mixup" in self.amounts

    def draw(self, rows: Array, shape: tuple[int, ...], *, seed: int, epoch: int) -> Array:
        """What happens to the pictures of these numbers in an epoch, a row each, as `ops.augment` takes it.

        A picture's row depends on seed, epoch and its own number; a kind draws the same whatever others there are.
        Shapes: rows (n,); shape (H,W,C) -> (n,21) float32.
        """
        if len(rows) > CHUNK:
            parts = (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))
            return np.concatenate([self.draw(part, shape, seed=seed, epoch=epoch) for part in parts])
        places = {name: place for place, name in enumerate(KINDS) if name in self.amounts}
        pairs = {name: 2 * place + np.arange((KINDS[name].uniforms + 1) // 2) for name, place in places.items()}
        counters = COUNTERS + np.concatenate([*pairs.values()])[:, None]
        first, second = ops.uniform((seed, epoch), np.asarray(rows, np.int64), counters)
        changes, at = Changes(len(rows), shape), 0
        for name, own in pairs.items():
            u = np.concatenate([first[at : at + len(own)], second[at : at + len(own)]])
            KINDS[name].change(changes, self.amounts[name], u)
            at += len(own)
        return changes.rows()


def text_of(given: Any) -> str:
    """What is asked for as text, for a file; "none" for None."""
    if given is None or isinstance(given, str):
        return given or "none"
    if isinstance(given, Augmentation | Mapping):
        return str(Augmentation.of(given) or "none")
    return f"function {getattr(given, '__qualname__', type(given).__qualname__)}"


def _read(entries: list[tuple[str, Any]], mirror: bool) -> tuple[dict[str, float], str]:
    """Amounts by name, those of presets among them, and the border."""
    amounts: dict[str, float] = {}
    border = "reflect"
    for name, value in entries:
        if name in PRESETS and value in ("", None):
            preset = Augmentation.of(PRESETS[name])
            if preset is not None:
                amounts |= {each: of for each, of in preset.amounts.items() if mirror or each not in MIRRORS}
                border = preset.border
        elif name == "border":
            border = expect_known("border", value, BORDERS)
        elif name not in KINDS:
            raise unknown_name("augmentation", str(name), (*PRESETS, *KINDS, "border"))
        else:
            amounts[name] = _amount(KINDS[name], value)
    return amounts, border


def _amount(of: Kind, value: Any) -> float:
    if value in ("", None) or value is True:
        return of.usual
    try:
        amount = float(value)
    except (TypeError, ValueError):
        amount = math.nan
    if not 0 <= amount <= of.most:
        raise ConfigError(f"augmentation {of.name} must be a number from 0 to {of.most:g}, got {shown(value)}")
    return amount
