"""Textures: pictures that excite a channel of a deep layer everywhere, made by gradient ascent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.datasets.download import Progress
from pellucid.errors import ShapeError
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.ops.geometry import number, whole
from pellucid.visualise.excitation.data import Channels, before_activation, picked, pixel_range, slope_of
from pellucid.visualise.excitation.views import view_of

SIDE = 96
"""Of a texture, in pixels."""
LEAST_VIEW = 12
"""Pixels that a unit sees at least for its channel's texture to say more than the unit's own picture."""

COLOURS = np.array([[0.48, 0.29, 0.21], [0.29, 0.43, 0.29], [0.21, 0.29, 0.50]], np.float32)
"""The square root of the covariance of red, green and blue in ImageNet's photographs, scaled: they go together.

Source: Olah, Mordvintsev & Schubert 2017, whose code, Lucid, has the numbers (color_correlation_svd_sqrt).
"""


def texture_side(model: Model, layer: str) -> int | None:
    """SIDE where textures of a layer can be made and say something; None where one unit's picture is what there is.

    That is where the network takes small pictures or those of one size alone, and where a unit sees a few pixels.
    """
    graph = model.graph.up_to(model.get_layer(layer))
    height, width, channels = graph.input_shape if len(graph.input_shape) == 3 else (0, 0, 0)
    if min(height, width) < SIDE:
        return None
    view = view_of(graph)
    if view is not None and max(view.field.size) < LEAST_VIEW:
        return None
    try:
        list(replace(graph, input_shape=(SIDE, SIDE, channels)).walk())
    except ShapeError:
        return None
    return SIDE


def textures(
    model: Model,
    layer: str,
    channels: Channels = None,
    *,
    side: int = SIDE,
    steps: int = 48,
    rate: float = 0.03,
    decay: float = 0.1,
    falloff: float = 1.5,
    jitter: int = 8,
    seed: int = 0,
    progress: Progress | None = None,
) -> Array:
    """Pictures made to excite channels of a layer wherever they look: by the gradient of the mean over all places.

    As `ascend`, of all units at once. Each step is smoothed so that a wave of f cycles a pixel is weakened by
    f ** falloff, as waves are in photographs, and its colours go together as theirs do: without that, the gradient
    writes the high frequencies that no photograph has. Moved about by `jitter` pixels, drawn towards grey.

    Does not show what the channel means, as there; and a texture repeats what the units saw once in a photograph.
    rate, decay: as `ascend`.
    Shapes: (channels, side, side, C) float32.
    Units: values from 0 to 1 are the whole range of pixels.
    Errors: ConfigError for an unknown layer or channel, and for settings out of range; ShapeError where the network
        takes no pictures of this side.
    Source: Olah, Mordvintsev & Schubert 2017, "Feature Visualization" (Distill), sections "Spatial regularization" and
        "Preconditioning and parameterization".
    """
    steps, side = whole(steps, "textures: steps", 10**6), whole(side, "textures: side", 4096)
    rate, decay = number(rate, "textures: rate", 0), number(decay, "textures: decay", 0, 1)
    falloff, jitter = number(falloff, "textures: falloff", 0, 10), whole(jitter, "textures: jitter", 4096, least=0)
    graph = model.graph.up_to(model.get_layer(layer))
    picks = picked(model.get_layer(layer), graph.output_shape[-1], channels)
    shape = (side, side, graph.input_shape[-1])
    graph = replace(before_activation(graph), input_shape=shape)
    low, high = pixel_range(model, shape[-1])
    rng = np.random.default_rng(whole(seed, "textures: seed", 2**32 - 1, least=0))
    noise = _smoothed(rng.standard_normal((1, *shape)), falloff)
    pictures = np.repeat((0.5 + 0.05 * noise / noise.std()).astype(np.float32), len(picks), axis=0)
    for step in range(steps):
        down, right = rng.integers(-jitter, jitter + 1, 2).tolist()
        view = np.roll(pictures, (down, right), axis=(1, 2))
        slope = slope_of(graph, low + view * (high - low), picks) * (high - low)
        slope = _smoothed(np.roll(slope, (-down, -right), axis=(1, 2)), falloff)
        size = np.sqrt(np.square(slope).mean(axis=(1, 2, 3), keepdims=True))
        pictures += rate * slope / np.where(size > 0, size, 1) + decay * (0.5 - pictures)
        np.clip(pictures, 0, 1, out=pictures)
        if progress is not None:
            progress(step + 1, steps, f"ascending for {layer}")
    return pictures


def _smoothed(pictures: Array, falloff: float) -> Array:
    """Waves of f cycles a pixel weakened by f ** falloff, colours brought together. Shapes: (N,H,W,C) -> the same."""
    size = pictures.shape[1:3]
    down, across = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    weights = np.maximum(np.hypot(down, across), 1 / max(size)) ** -falloff
    waves = np.fft.rfft2(pictures, axes=(1, 2)) * weights[:, :, None]
    smooth = np.fft.irfft2(waves, s=size, axes=(1, 2))
    return np.asarray(smooth @ COLOURS if pictures.shape[-1] == len(COLOURS) else smooth, np.float32)
