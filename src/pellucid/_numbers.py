"""Numbers as people read them: rounded, but what is not 1, 0 or 100 % never looks as if it were."""

from __future__ import annotations

import math

FINEST = 7
"""Digits that a float32 can tell apart."""
SIGNIFICANT = 4


def number(value: float, digits: int = SIGNIFICANT) -> str:
    """A number with so many significant digits; with more, up to seven, where fewer would make it look round.

    >>> number(0.0713712), number(0.99998), number(2.00031), number(1.0)
    ('0.07137', '0.99998', '2.0003', '1')
    """
    value += 0.0  # -0 is 0
    text = f"{value:.{digits}g}"
    written = text.partition("e")[0].replace(".", "").strip("-0")
    if not math.isfinite(value) or len(written) >= digits or (len(written) > 1 and not float(text).is_integer()):
        return text
    return next((finer for n in range(digits + 1, FINEST + 1) if float(finer := f"{value:.{n}g}") != float(text)), text)


def percent(share: float, digits: int = 2, unit: str = " %") -> str:
    """A share of one as a percentage with so many decimals; with more, up to three, where fewer would say 0 or 100.

    >>> percent(0.98912), percent(0.99996), percent(1.0), percent(0.9996, 0), percent(1e-9), percent(1 - 1e-9)
    ('98.91 %', '99.996 %', '100.00 %', '99.96 %', '<0.00001 %', '>99.99999 %')

    NaN, the share of nothing, is a dash.
    """
    if math.isnan(share):
        return "–"  # noqa: RUF001  # a dash for no number
    finest = digits + 3
    for decimals in range(digits, finest + 1):
        text = f"{100 * share:.{decimals}f}"
        if float(text) not in (0, 100) or share in (0, 1):
            return text + unit
    least = 10.0**-finest
    return f"<{least:.{finest}f}{unit}" if share < 0.5 else f">{100 - least:.{finest}f}{unit}"
