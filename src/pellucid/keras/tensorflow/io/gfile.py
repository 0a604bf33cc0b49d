"""Files and folders by TensorFlow's names: Python's own functions."""

from __future__ import annotations

import glob as _glob
import os
import shutil
from os import listdir as listdir
from os import remove as remove
from os.path import exists as exists
from os.path import isdir as isdir
from os.path import join as join
from shutil import rmtree as rmtree
from typing import Any

__all__ = [
    "GFile", "copy", "exists", "glob", "isdir", "join", "listdir", "makedirs", "mkdir", "remove", "rename", "rmtree",
    "stat", "walk",
]  # fmt: skip
GFile, stat, walk = open, os.stat, os.walk


def glob(pattern: Any) -> list[str]:
    """The paths that fit a pattern, or one of several."""
    several = [pattern] if isinstance(pattern, str | os.PathLike) else pattern
    return [path for each in several for path in sorted(_glob.glob(os.fspath(each)))]


def makedirs(path: Any) -> None:
    """The folder and those around it, where they are not there."""
    os.makedirs(path, exist_ok=True)


mkdir = makedirs


def _to(dst: Any, overwrite: bool) -> Any:
    if exists(dst) and not overwrite:
        raise FileExistsError(f"{dst} is there; overwrite=True writes over it")
    return dst


def copy(src: Any, dst: Any, overwrite: bool = False) -> None:
    """A file's copy. Errors: FileExistsError for one that is there, unless it may be overwritten."""
    shutil.copyfile(src, _to(dst, overwrite))


def rename(src: Any, dst: Any, overwrite: bool = False) -> None:
    """A file's new name. Errors: as of `copy`."""
    os.replace(src, _to(dst, overwrite))
