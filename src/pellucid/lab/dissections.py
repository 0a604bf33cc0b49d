"""One number taken apart, as plain data: how it comes about, where its gradient comes from, what a step does to it.

All of it is what `visualise.dissection` says of a trace; here it is asked for while the weights stand still.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pellucid._language import LANGUAGES
from pellucid.lab.looking import Look, Seen, view
from pellucid.lab.protocol import Request
from pellucid.visualise.dissection.data import Dissection, dissect_step
from pellucid.visualise.dissection.gradient import dissect_gradient_step, readers
from pellucid.visualise.dissection.records import as_data
from pellucid.visualise.dissection.terms import GradientDissection
from pellucid.visualise.dissection.update import dissect_update
from pellucid.visualise.dissection.weight import dissect_weight_step
from pellucid.visualise.drawing.labels import Labels

MAX_TERMS = 4096
"""Products that are sent one by one; of a larger sum the largest."""

GRADIENT_TERMS = 24
"""Of a gradient, the largest; the others come as their sum."""

KERNEL = "kernel"


@view(layer=True, picture=True, once=True)
def arithmetic(look: Look, request: Request) -> Seen:
    """How one number of a layer comes about. Without a position, the largest number."""
    names = tuple(look.model.class_names or ()) if request.layer == look.model.flat_layers[-1].name else ()
    with look.model.turns.taken():  # the weights that are multiplied are those that the trace was made with
        return Seen(number_data(dissect_step(look.step(request), request.position or None, names)))


@view(layer=True, picture=True, gradients=True, once=True)
def gradient(look: Look, request: Request) -> Seen:
    """Where the gradient of one number that a layer gives comes from: from each layer that reads it, term by term.

    Of the loss of the picture. Without a position, the largest.
    """
    return _arriving(look, request, request.layer)


@view(picture=True, gradients=True, once=True)
def picture_gradient(look: Look, request: Request) -> Seen:
    """The same of one number of the picture itself."""
    return _arriving(look, request, None)


def _arriving(look: Look, request: Request, layer: str | None) -> Seen:
    with look.model.turns.taken():
        seen = look.trace_of(request, gradients=True)
        at = request.position or None
        found = [
            dissect_gradient_step(seen[name], at, source=source, most=GRADIENT_TERMS)
            for name, source in readers(seen, layer)
        ]
        return Seen({"parts": [_in_languages(each) for each in found]})


@view(layer=True, picture=True, gradients=True, once=True)
def update(look: Look, request: Request) -> Seen:
    """Where the gradient of one weight of a kernel comes from, and what the next step would do to it with that.

    Of the loss of the picture. Without a position, the weight with the largest gradient.
    """
    with look.model.turns.taken():
        seen = look.trace_of(request, gradients=True)
        step = seen[request.layer]
        if KERNEL not in step.weights:
            return Seen({})
        found = dissect_weight_step(step, KERNEL, request.position or None, most=GRADIENT_TERMS)
        change = dissect_update(seen, request.layer, KERNEL, found.position)
        return Seen({"gradient": _in_languages(found), "update": as_data(change)})


def _in_languages(found: Dissection | GradientDissection) -> dict[str, Any]:
    return {**as_data(found), "equation": {lang: found.in_words(Labels(lang)) for lang in LANGUAGES}}


def number_data(found: Dissection) -> dict[str, Any]:
    """All of it but the layer's whole input and output. patch, kernel, products: in the order of `patch_shape`, of more
    than MAX_TERMS the largest, whose places are in `chosen`."""
    arrays = {"patch": found.patch, "kernel": found.kernel, "products": found.products}
    shape = found.patch.shape
    terms: dict[str, Any] = {
        name: np.broadcast_to(each, shape).ravel() for name, each in arrays.items() if each is not None
    }
    chosen = None
    if found.patch.size > MAX_TERMS:
        sizes = np.abs(np.nan_to_num(terms.get("products", terms["patch"])))
        chosen = np.sort(np.argsort(-sizes, kind="stable")[:MAX_TERMS])
        terms = {name: each[chosen] for name, each in terms.items()}
    return {
        **as_data(replace(found, **terms)),
        "equation": {lang: found.in_words(Labels(lang)) for lang in LANGUAGES},
        **{name: getattr(found, name) for name in ("rivals", "names", "picked", "inside")},
        "patch_shape": shape,
        "terms": found.patch.size,
        "chosen": chosen,
    }
