"""A layer's window on its way: what it slides over, its kernel, what comes of it; and the gradients on their way back.

Where the window stands follows from its sizes, which the page knows; the numbers of one place are in `dissections`.
"""

from __future__ import annotations

import numpy as np

from pellucid.lab.looking import Look, Seen, view
from pellucid.lab.protocol import Part, Request
from pellucid.lab.views import MAP_PIXELS, shade_maps
from pellucid.model.tracing import LayerTrace
from pellucid.ops import Array
from pellucid.ops.geometry import whole
from pellucid.visualise.dissection.data import dissect_step


@view(layer=True, picture=True)
def window(look: Look, request: Request) -> Seen:
    """What a layer's window slides over, its kernel, and its map.

    The request's channel is that of the input, counted among those that the output sees; given {"filter": N} the
    output's, without it the one with the largest number. Parts: input, kernel (none of a pooling), output; none at all
    of a layer without a window that slides over pictures.
    """
    step = look.step(request)
    return _windows(look, request, step, step.input[0], step.output[0])


@view(layer=True, picture=True, gradients=True)
def window_gradients(look: Look, request: Request) -> Seen:
    """The same of the gradients: of what the layer reads, and of what it gives."""
    step = look.step(request, gradients=True)
    if step.d_input is None or step.d_output is None:
        return Seen({})
    return _windows(look, request, step, step.d_input[0], step.d_output[0])


def _windows(look: Look, request: Request, step: LayerTrace, read: Array, given: Array) -> Seen:
    sizes = step.layer.window()
    if sizes is None or step.layer.merges or step.output.ndim != 4:
        return Seen({})
    count = step.output.shape[3]
    largest = int(np.unravel_index(int(np.nan_to_num(step.output[0]).argmax()), step.output.shape[1:])[2])
    number = whole(request.options("filter").get("filter", largest), "filter", count - 1, least=0)
    found = dissect_step(step, (0, 0, number))
    seen = min(request.channel, len(found.channels) - 1)
    channel = found.channels[seen]
    top, left = (before for before, _ in step.layer.pads(step.input.shape[1:]))
    kernel, strides, dilation = sizes
    parts = {"input": (read, channel), "output": (given, number)}
    if found.kind == "convolution" and found.kernel is not None:
        parts["kernel"] = (found.kernel, seen)
    of = next(node for node in look.model.graph.nodes if node.layer is step.layer).inputs[0]
    return Seen(
        {
            "kernel": kernel,
            "strides": strides,
            "dilation": dilation,
            "pads": (top, left),
            "filter": number,
            "filters": count,
            "channel": channel,
            "channels": len(found.channels),
            "reads": "" if of < 0 else look.model.flat_layers[of].name,
        },
        tuple(_map(name, values[:, :, at]) for name, (values, at) in parts.items()),
    )


def _map(name: str, values: Array) -> Part:
    levels, about = shade_maps(values[:, :, None], 1, MAP_PIXELS)
    return Part(levels, {"of": name, **about})
