"""Pictures of programs that run without a display: what they show is written beside them as PNG."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pellucid.errors import PellucidError
from pellucid.files.atomic import replacing

if TYPE_CHECKING:
    from PIL.Image import Image

written: list[Path] = []
failed: list[str] = []
"""What could not be written, each in words."""


def write(save: Callable[[IO[bytes]], object]) -> None:
    """One picture beside the program, under the next number."""
    program = Path(os.path.abspath(getattr(sys.modules["__main__"], "__file__", "program")))
    path = program.with_name(f"{program.stem}-figure-{len(written) + 1}.png")
    try:
        with replacing(path) as file:
            save(file)
    except PellucidError as error:
        failed.append(str(error))
    else:
        written.append(path)


@contextlib.contextmanager
def of_pillow() -> Iterator[None]:
    """Meanwhile, Pillow's `Image.show` writes a file, too."""
    from PIL import ImageShow

    class Viewer(ImageShow.Viewer):
        format = "PNG"

        def show_image(self, image: Image, **_: Any) -> int:
            write(lambda file: image.save(file, "PNG"))
            return 1

    viewer = Viewer()
    ImageShow.register(viewer, 0)
    try:
        yield
    finally:
        ImageShow._viewers.remove(viewer)
