"""Which layers are looked at where nobody names one: convolutions with what belongs to them, and a few of many."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.layers.graph import Visit
from pellucid.model import Model
from pellucid.visualise.drawing.labels import Labels

MANY, FEW = 40, 20
"""Layers that are all drawn; of more, so few."""

UNCHANGED = ("dropout", "noise", "flatten", "rearrangement", "padding", "cropping")
"""Roles of layers that show in use what the layer before them showed."""


def drawn_layers(model: Model) -> tuple[str, ...]:
    """The names of the layers whose output is worth a look: all that change what they get; of many, a few by depth."""
    names = _changing(model)
    if len(names) <= MANY:
        return tuple(names)
    return (*spread([visit.layer.name for visit in whole_convolutions(model)], FEW - 1), names[-1])


def few_note(model: Model, say: Labels) -> str:
    """What is said where `drawn_layers` leaves some out; "" where it does not."""
    shown, count = len(drawn_layers(model)), len(_changing(model))
    return say("{shown} of {count} layers; --layer draws any", shown=shown, count=count) if shown < count else ""


def whole_convolutions(model: Model, *, activated: bool = True) -> list[Visit]:
    """Of each convolution the last layer that belongs to it: its normalisation, its activation, the sum behind it.

    activated: False for the last but for activations.
    """
    visits = list(model.graph.walk())
    return [whole(visits, visit, activated=activated) for visit in visits if visit.layer.role == "convolution"]


def whole(visits: Sequence[Visit], visit: Visit, *, activated: bool = True) -> Visit:
    """The last layer that belongs to one: what follows it number by number."""
    chosen = visit
    for after in visits[visit.number + 1 :]:
        if not after.keeps_place or visit.number not in after.inputs:
            break
        visit = after
        chosen = visit if activated or visit.layer.role != "activation" else chosen
    return chosen


def _changing(model: Model) -> list[str]:
    return [layer.name for layer in model.flat_layers if layer.role not in UNCHANGED]


def spread(names: Sequence[str], most: int) -> tuple[str, ...]:
    """At most so many, evenly chosen, the first and the last among them.

    >>> spread(["a", "b", "c", "d", "e"], 3)
    ('a', 'c', 'e')
    """
    count = min(most, len(names))
    return tuple(names[round(place * (len(names) - 1) / max(count - 1, 1))] for place in range(count))
