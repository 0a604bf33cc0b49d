"""Numbers taken apart as JSON has them, under names that stay."""

from __future__ import annotations

import math
from typing import Any

from pellucid.visualise.dissection.data import Dissection
from pellucid.visualise.dissection.terms import GradientDissection
from pellucid.visualise.dissection.update import UpdateDissection


def as_data(found: Dissection | GradientDissection | UpdateDissection) -> dict[str, Any]:
    """A number, a gradient or an update, taken apart, as JSON has it; numbers that are not finite are null.

    Of a gradient: `terms`, the largest first, each with example, place, cell, word, arriving, slope, factor, product,
    given, wanted and counts, null where a term has none of them; `count` of all there are, `rest` the sum of those that
    are left out, `sum` of all. Of an update: `lines`, each with name, expression and value.
    """
    make: Any = {GradientDissection: _gradient, UpdateDissection: _update}.get(type(found), _number)
    return {name: _plain(value) for name, value in make(found).items()}


def _number(found: Dissection) -> dict[str, Any]:
    return {
        **_fields(found, "layer", "detail", "kind", "position", "output_shape", "rows", "columns", "channels"),
        **_fields(found, "sources", "patch", "kernel", "products"),
        "sum": found.total,
        **_fields(found, "bias", "before", "activation", "result", "computed", "equation"),
    }


COLUMNS = {
    "example": "examples",
    "place": "places",
    "cell": "cells",
    "word": "words",
    "arriving": "arriving",
    "slope": "slopes",
    "factor": "factors",
    "product": "products",
    "given": "given",
    "wanted": "wanted",
    "counts": "counts",
}
"""What a term has, by the columns of a `GradientDissection`."""


def _gradient(found: GradientDissection) -> dict[str, Any]:
    columns = {name: getattr(found, column) for name, column in COLUMNS.items()}
    there = {name: values for name, values in columns.items() if values is not None and len(values)}
    terms = [
        {name: _plain(there[name][i]) if name in there else None for name in COLUMNS}
        for i in range(len(found.products))
    ]
    return {
        **_fields(found, "layer", "detail", "kind", "of", "position", "source", "example", "value"),
        "terms": terms,
        **_fields(found, "count", "rest"),
        "sum": found.total,
        **_fields(found, "computed", "equation"),
    }


def _update(found: UpdateDissection) -> dict[str, Any]:
    return {
        **{name: value for name, value in vars(found).items() if name != "lines"},
        "change": found.change,
        "lines": [line._asdict() for line in found.lines],
    }


def _fields(found: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(found, name) for name in names}


def _plain(value: Any) -> Any:
    """As JSON has it: lists for arrays and tuples."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list) or (hasattr(value, "ndim") and value.ndim):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
