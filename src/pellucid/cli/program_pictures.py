"""Pictures of programs that run without a display: what they show is written beside them as PNG."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from pellucid.errors import PellucidError
from pellucid.files.atomic import replacing

_PILLOW = "PIL.ImageShow"

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
    """Meanwhile, Pillow's `Image.show` writes a file, too. Pillow is not imported for that."""
    finder = _Pillow()
    if loaded := sys.modules.get(_PILLOW):
        finder.exec_module(loaded)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for viewers, viewer in finder.registered:
            viewers.remove(viewer)


class _Pillow(MetaPathFinder, Loader):
    """Finds Pillow's module of viewers where it is, and puts one of ours first into its list."""

    def __init__(self) -> None:
        self.registered: list[tuple[list[Any], Any]] = []
        self._own: Loader | None = None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == _PILLOW else None
        if spec is not None:
            self._own, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._own.create_module(spec) if self._own is not None else None

    def exec_module(self, module: ModuleType) -> None:
        if self._own is not None:
            self._own.exec_module(module)
        pillow: Any = module

        class Viewer(pillow.Viewer):  # type: ignore[misc]
            format = "PNG"

            def show_image(self, image: Any, **_: Any) -> int:
                write(lambda file: image.save(file, "PNG"))
                return 1

        viewer = Viewer()
        pillow.register(viewer, 0)
        self.registered.append((pillow._viewers, viewer))
