"""Moving pictures: one figure, of which a few things change from frame to frame, as a GIF."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from pellucid.datasets.download import Progress
from pellucid.errors import ConfigError
from pellucid.files.atomic import replacing
from pellucid.files.inside import Place, place_of
from pellucid.ops import Array
from pellucid.ops.geometry import above_zero, number
from pellucid.visualise.drawing.figure import BETWEEN, BLUE, VERMILION

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from PIL import Image

FRAME_DPI = 80
"""Of a frame at scale 1, which is some 800 to 1,000 pixels wide."""

GREYS, COLOURS = 32, 128
"""Steps from black to white, and colours of pictures, beside those of the drawing. The fewer, the smaller the file."""

APART = 12
"""How far a picture's colour lies from those at least: Pillow matches colours to within 4 levels a channel, and would
take a neighbour for white or vermilion."""

HOLD_S = 2.0
"""How long the last frame stays before the first one comes again."""


class Animation:
    """A figure that becomes frame 0, 1, ... of `count`: `draw(i)` changes the artists of `moving`, and nothing else.

    The figure is laid out and drawn once; of a frame, the moving artists alone are drawn, in the order given.
    Units: fps in frames a second.
    """

    def __init__(
        self, figure: Figure, draw: Callable[[int], None], count: int, fps: float, moving: Sequence[Artist]
    ) -> None:
        self.figure, self.draw, self.count, self.moving = figure, draw, count, tuple(moving)
        self.fps = above_zero(fps, "fps")
        self._still: tuple[float, Any, Any] | None = None

    def frame(self, index: int, scale: float = 1.0) -> Array:
        """One frame as pixels. Shapes: (H,W,3) uint8. Errors: ConfigError for a scale out of range."""
        from pellucid.visualise.drawing.fonts import prepare

        canvas, background = self._background(number(scale, "scale", 0.05, 20))
        self.draw(index)
        prepare(self.figure, as_text=False)
        canvas.restore_region(background)
        for artist in self.moving:
            artist.draw(canvas.get_renderer())
        return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()

    def _background(self, scale: float) -> tuple[Any, Any]:
        """The canvas, and what stands still on it, drawn once for each scale."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        from pellucid.visualise.drawing.fonts import prepare

        canvas: Any  # Matplotlib's canvases have no types
        if self._still is None or self._still[0] != scale:
            self.figure.set_dpi(FRAME_DPI * scale)
            canvas = FigureCanvasAgg(self.figure)
            self.draw(0)
            prepare(self.figure, as_text=False)
            canvas.draw()  # lays out everything, what moves too
            self.figure.set_layout_engine("none")
            for artist in self.moving:
                artist.set_animated(True)
            canvas.draw()
            self._still = (scale, canvas, canvas.copy_from_bbox(self.figure.bbox))
        return self._still[1], self._still[2]


def write_gif(moving: Animation, path: Place | str, *, scale: float = 1.0, progress: Progress | None = None) -> None:
    """Write a moving picture; a file there is replaced whole or not at all.

    scale: how many times as large as some 800 to 1,000 pixels across.
    Errors: ConfigError for a name that does not end in .gif; CheckpointError if it cannot be written.
    """
    path = place_of(path)
    if path.suffix.lower() != ".gif":
        raise ConfigError(f"{path}: moving pictures end in .gif, got {path.suffix or 'no ending'!r}; rename it")
    with replacing(path) as file:
        save_gif(moving, file, scale=scale, progress=progress)


def save_gif(moving: Animation, file: IO[bytes], *, scale: float = 1.0, progress: Progress | None = None) -> None:
    """The same into an open file. One frame is in memory at a time, and of each only what changed is kept."""
    from PIL import Image

    # one palette for all frames, of the first, the middle and the last, so that nothing flickers
    palette = palette_of(np.concatenate([moving.frame(i, scale) for i in (0, moving.count // 2, moving.count - 1)]))

    def frames() -> Iterator[Image.Image]:
        for index in range(moving.count):
            pixels = Image.fromarray(moving.frame(index, scale))
            yield pixels.quantize(palette=palette, dither=Image.Dither.NONE)
            if progress is not None:
                progress(index + 1, moving.count, "drawing frames")

    every = frames()
    durations = [round(1000 / moving.fps)] * (moving.count - 1) + [round(1000 * HOLD_S)]
    next(every).save(file, "GIF", save_all=True, append_images=every, duration=durations, loop=0, optimize=False)


def palette_of(pixels: Array) -> Image.Image:
    """A palette that keeps white, greys and the colours of the drawing as they are, and finds those of pictures.

    Shapes: pixels (H,W,3) uint8.
    """
    from PIL import Image, ImageColor

    found = Image.fromarray(pixels).quantize(COLOURS, dither=Image.Dither.NONE)
    greys = np.linspace(0, 255, GREYS).round()[:, None].repeat(3, axis=1)
    own = np.vstack([greys, [ImageColor.getrgb(colour) for colour in (BLUE, VERMILION, BETWEEN)]])
    others = np.array(found.getpalette(), np.float64).reshape(-1, 3)
    far = np.abs(others[:, None] - own).max(axis=2).min(axis=1) > APART
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.vstack([own, others[far]]).astype(np.uint8).tobytes())
    return palette
