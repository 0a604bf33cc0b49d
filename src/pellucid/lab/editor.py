"""What the page's editor asks: the network as it can be edited, and what an edited one would be."""

from __future__ import annotations

from dataclasses import asdict

from pellucid.lab.catalogue import catalogue
from pellucid.lab.editing import architecture, drafted
from pellucid.lab.looking import Look, Seen, view
from pellucid.lab.protocol import Request


@view(once=True)
def network_layers(look: Look, request: Request) -> Seen:
    """The layers' arguments, which reads which, what the summary says of them, and the layers that there are."""
    choices = catalogue(look.model.graph.input_shape)
    rows = [asdict(row) for row in look.model.outline().rows]
    return Seen({**architecture(look.model), "rows": rows, "catalogue": choices})


@view(once=True, owner=True)
def draft(look: Look, request: Request) -> Seen:
    """Shapes, sizes and costs of the network that was given, layer by layer, up to the one that does not fit."""
    return Seen(drafted(look.model, request.details, batch_size=look.session.settings.batch_size).to_json())
