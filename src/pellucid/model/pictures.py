"""Pictures in the form that plans take: as bytes or floats of a network's shape, of several inputs a row for each."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import DataError, ShapeError, shown
from pellucid.layers.stack import channels_last
from pellucid.ops import Array, Shape, float32_array, real_array

if TYPE_CHECKING:
    from pellucid.model.network import Network

MAX_LEVEL = 255

FLOAT = np.dtype(np.float32)


def standardize_images(x: Any, input_shape: Shape | None, name: str) -> Any:
    """Pictures as uint8 or float32, with the axes the model takes; lazy pictures pass through.

    One rule for all, in training and in use: whole numbers, of any type, are levels from 0 to 255, as uint8 is; True
    is 1.0 and False 0.0; floats are left alone.
    Shapes: (M, H, W, C), or (M, H, W) where the model takes one channel.
    Errors: ShapeError for other axes or sizes; DataError for anything but real numbers, and for whole numbers beyond
    0 to 255.
    """
    if type(x) is np.ndarray and x.dtype == FLOAT and x.shape[1:] == input_shape and x.flags.c_contiguous:
        return x  # as it should be, which shall cost nothing
    images = x if _is_lazy(x) else _levels_or_floats(_pixels(x, name), name)
    if input_shape is not None and tuple(images.shape[1:]) != tuple(input_shape):
        if isinstance(images, np.ndarray) and (*images.shape[1:], 1) == tuple(input_shape):
            images = images[..., None]
        else:
            given = tuple(images.shape)
            raise ShapeError(
                f"{name} takes pictures (N, {', '.join(map(str, input_shape))}), got {given}; "
                f"{_hint(given, tuple(input_shape))}"
            )
    return np.ascontiguousarray(images) if isinstance(images, np.ndarray) else images


def _is_lazy(x: Any) -> bool:
    """Whether these are pictures that are read when they are asked for, see `datasets.Pictures`."""
    return not isinstance(x, np.ndarray) and isinstance(getattr(x, "dtype", None), np.dtype) and hasattr(x, "select")


def _pixels(x: Any, name: str) -> Array:
    if isinstance(x, np.ndarray):
        return real_array(x, f"{name}: the pictures x")
    first = x[0] if isinstance(x, list | tuple) and x else x
    if isinstance(first, str | bytes | os.PathLike):
        file = os.fsdecode(first)
        raise DataError(
            f"{name} takes pictures as arrays, got the text {shown(file)}; for files: pellucid predict RUN {file:.80}; "
            "in Python: numpy.asarray(PIL.Image.open(file))[None], in the size the network takes"
        )
    if hasattr(x, "images") and hasattr(x, "labels"):
        raise DataError(f"{name}: x are the pictures, got {shown(x)}; give its .images as x and its .labels as y")
    return real_array(x, f"{name}: the pictures x")


def _levels_or_floats(images: Array, name: str) -> Array:
    if images.dtype in (np.uint8, np.float32):
        return images
    if images.dtype.kind not in "iu" or not images.size:
        return float32_array(images, f"{name}: the pictures x")
    low, high = int(images.min()), int(images.max())
    if low < 0 or high > MAX_LEVEL:
        whole = next((2**bits - 1 for bits in (10, 12, 14, 16) if high < 2**bits), high)
        raise DataError(
            f"{name}: whole numbers are read as levels from 0 to {MAX_LEVEL}, these pictures hold {low} to {high}; "
            f"scale them, x / {float(max(whole, 1))}, or give floats, which are left alone: x.astype('float32')"
        )
    return images.astype(np.uint8)


def _hint(given: Shape, expected: Shape) -> str:
    """What to do about pictures of another shape, batch axis and all."""
    picture = given[1:]
    if given == expected or (*given, 1) == expected:
        return "add the batch axis: x[None]"
    if len(given) <= 2 and len(expected) > 1 and given and given[-1] == math.prod(expected):
        return f"pictures as rows of numbers: x.reshape(-1, {', '.join(map(str, expected))})"
    if len(expected) == 3 and picture == (expected[2], *expected[:2]):
        return "the channels come first; use x.transpose(0, 2, 3, 1)"
    if channels_last(expected) == picture:
        return f"the network was made for channels first: did you mean input_shape={picture}?"
    if len(picture) == len(expected) and picture[:-1] == expected[:-1]:
        return f"convert them to {expected[-1]} channel{'s' if expected[-1] > 1 else ''}"
    return "resize them, or build the model for this input_shape"


def several_arrays(x: Any) -> bool:
    """Whether these are arrays of several inputs, and not rows of numbers in lists."""
    each = list(x.values()) if isinstance(x, Mapping) else x if isinstance(x, list | tuple) else []
    return len(each) > 1 and all(isinstance(one, np.ndarray) and one.ndim > 1 for one in each)


def in_order(model: Network, x: Any) -> list[Any] | None:
    """What a network with several inputs is given for each: a list, or a dictionary by their names; None where it is
    neither, or the network has one input.

    Errors: DataError for arrays that are missing, or too many.
    """
    names = [part.name for part in model.graph.parts.values()] if isinstance(x, list | tuple | Mapping) else []
    if not names:
        return None
    if len(x) != len(names) or (isinstance(x, Mapping) and set(x) != set(names)):
        got = f"those of {', '.join(map(str, x))}" if isinstance(x, Mapping) else f"{len(x)}"
        raise DataError(f"{model.name} takes an array for each of {', '.join(names)}, got {got}")
    return [x[name] for name in names] if isinstance(x, Mapping) else list(x)


def _is_raw(model: Network) -> bool:
    """Whether it takes whole numbers as they are: they are no levels of pictures, or number rows of a table."""
    scale, offset = model.preprocessing.scale_offset(1)
    return bool(scale == 1 and offset == 0) or _reads_rows(model)


def _reads_rows(model: Network) -> bool:
    return any(layer.table_rows for layer in model.flat_layers)


def unscaled(model: Network, x: Any) -> Any:
    """Whole numbers as floats where the model takes pictures as they are, so that they need not be levels."""
    given = x if isinstance(x, np.ndarray) else _whole_numbers(x)
    if given is None or given.dtype.kind not in "iu" or (given.dtype == np.uint8 and not _reads_rows(model)):
        return x
    return float32_array(given, f"{model.name}: the pictures x") if _is_raw(model) else x


def _whole_numbers(x: Any) -> Array | None:
    """A list of numbers as an array; None for what is none, of which others say why."""
    try:
        return np.asarray(x) if isinstance(x, list) and x else None
    except ValueError:  # rows of different lengths
        return None


def as_rows(model: Network, x: Any) -> Any:
    """The arrays of a network's several inputs behind one another, a row each; of one, that under its name in a
    dictionary; anything else as it is.

    Whole numbers are scaled as pictures are.
    Shapes: each (M, *its shape) -> (M, numbers) float32.
    Errors: DataError for arrays of other lengths; else as `in_order`, and of pictures.
    """
    arrays = in_order(model, x) if model.built else None
    if arrays is None:
        given = x[model.input_name] if isinstance(x, Mapping) and set(x) == {model.input_name} else x
        return unscaled(model, given)
    parts = model.graph.parts.values()
    scale, offset = model.preprocessing.scale_offset(1)
    raw = _is_raw(model)
    rows: Array | None = None
    for part, given in zip(parts, arrays, strict=True):
        what = f"{model.name}: {part.name!r}"
        array = np.asarray(standardize_images(float32_array(given, what) if raw else given, part.target_shape, what))
        if rows is None:
            rows = np.empty((len(array), model.graph.input_shape[0]), np.float32)
        if len(array) != len(rows):
            raise DataError(f"{what} has {len(array)} examples, the array before it {len(rows)}")
        flat = array.reshape(len(array), -1)
        rows[:, part.start : part.stop] = flat * scale + offset if flat.dtype == np.uint8 else flat
    return rows


def build_for(model: Network, x: Any) -> Any:
    """Pictures in the model's form; builds the model for them where nobody has said the shape of its input.

    Shapes: (M, H, W) builds for (H, W, 1), unless the first layer takes two axes.
    """
    if not model.built and not model.flat_layers and several_arrays(x):
        each = x.items() if isinstance(x, Mapping) else enumerate(x)
        shapes = {key: (None, *np.shape(array)[1:]) for key, array in each}
        model.build(shapes if isinstance(x, Mapping) else list(shapes.values()))  # type: ignore[arg-type]
    x = as_rows(model, x)
    if model.built:
        model.take_shape_of(x)
    if model.built or not model.waits_for_pictures:
        return standardize_images(x, model.graph.input_shape, model.name)
    images = standardize_images(x, None, model.name)
    shape = tuple(images.shape[1:])
    if not shape or not len(images):
        raise ShapeError(f"{model.name} takes pictures (N, H, W, C), got shape {tuple(images.shape)}; add the axes")
    try:
        model.build(shape)
    except ShapeError:
        if len(shape) != 2:
            raise
        model.build((*shape, 1))
    return standardize_images(images, model.graph.input_shape, model.name)
