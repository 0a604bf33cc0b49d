"""Which array of a file goes where in a model: everything that does not fit, in one error."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pellucid.convert.source import Source, Wanted
from pellucid.errors import CheckpointError
from pellucid.model import Model

SHOWN = 8
"""Arrays with one fault whose shapes an error gives; of more it gives the names."""


class DoesNotFit(CheckpointError):
    """Arrays of a file that do not fit a network. faults: each of them in words, by what is wrong with it."""

    def __init__(self, message: str, faults: dict[str, list[str]]) -> None:
        super().__init__(message)
        self.faults = faults


def match(model: Model, source: Source, *, no_top: bool, blue_first: bool) -> tuple[list[Wanted], tuple[str, ...]]:
    """(taken, fresh): what a model takes from a file, and the layers that keep their own weights, for it has none.

    A head is left fresh where `no_top` says so, or the file has none of it; the last dense layer alone where the file's
    was made for another number of classes. blue_first: as for Source.wanted.
    Where the file's names are others, shapes and order are tried: Source.take_by_order.
    Errors: DoesNotFit that names the arrays that are missing, left over, of another shape, or not of floats.
    """
    wanted = source.wanted(model, blue_first=blue_first)
    known = {item.tensor for item in wanted}

    def left_over() -> list[str]:
        return [name for name in source.tensors if name not in known and not source.is_spare(name, no_top=no_top)]

    unclear = ""
    if not known <= source.tensors.keys() and left_over():
        unclear = source.take_by_order(model, wanted, no_top=no_top)
    head = [item for item in wanted if item.in_head]
    fresh: list[str] = []
    features = [item.tensor in source.tensors for item in wanted if not item.in_head]
    if head and (no_top or (features and all(features) and not any(item.tensor in source.tensors for item in head))):
        fresh = [item.layer.name for item in head]
    elif _other_classes(head, source):
        fresh = [head[-1].layer.name]
    taken = [item for item in wanted if item.layer.name not in fresh]
    missing = [item for item in taken if item.tensor not in source.tensors]
    present = [item for item in taken if item.tensor in source.tensors]
    unfit = [item for item in present if source.tensors[item.tensor].shape != item.shape]
    whole = [item for item in present if not source.tensors[item.tensor].is_float]
    extra = left_over()
    faults = {
        "missing": {item.tensor: f"{item.tensor} {item.shape}" for item in missing},
        "of another shape": {item.tensor: _difference(item, source) for item in unfit},
        "not of floats": {item.tensor: f"{item.tensor} ({source.tensors[item.tensor].dtype})" for item in whole},
        "left over": {name: f"{name} {source.tensors[name].shape}" for name in extra},
    }
    if any(faults.values()):
        everything = known | source.tensors.keys()
        listed = "; ".join(_listed(what, items, everything) for what, items in faults.items() if items)
        unclear = f". Order and shapes do not tell either: {unclear}" if unclear else ""
        raise DoesNotFit(
            f"{source.path} does not fit {model.name}: {listed}{unclear}{_advice(wanted, missing, unfit, extra)}",
            {what: list(items.values()) for what, items in faults.items()},
        )
    return taken, tuple(dict.fromkeys(fresh))


def _other_classes(head: Sequence[Wanted], source: Source) -> bool:
    """Whether the file's last layer differs in nothing but how many classes it tells apart."""
    layer = head[-1].layer if head else None
    last = [item for item in head if item.layer is layer]
    if (
        layer is None
        or layer.role not in ("dense", "convolution")
        or any(item.tensor not in source.tensors for item in last)
    ):
        return False
    units = layer.params["kernel"].shape[-1]
    given = [source.tensors[item.tensor].shape for item in last]
    sizes = {size for shape, item in zip(given, last, strict=True) for size in set(shape) - set(item.shape)}
    return len(sizes) == 1 and all(
        any(
            shape == (*item.shape[:axis], *sizes, *item.shape[axis + 1 :])
            for axis, own in enumerate(item.shape)
            if own == units
        )
        for shape, item in zip(given, last, strict=True)
    )


def _listed(what: str, items: Mapping[str, str], everything: Collection[str]) -> str:
    """items: what is said of each array, by its name; where they are many, their names alone."""
    return f"{len(items)} {what}: {', '.join(items.values()) if len(items) <= SHOWN else braced(items, everything)}"


def braced(names: Iterable[str], everything: Iterable[str]) -> str:
    """All names of arrays in short: a module's for all that `everything` has of it, and braces as a shell has.

    >>> braced(["a.0.weight", "a.0.bias", "a.1.weight", "a.1.bias", "b.bias"], ["b.weight", "b.bias"])
    'a.{0,1}, b.bias'
    """
    given = dict.fromkeys(names)
    broken = {name.rpartition(".")[0] for name in everything if name not in given}
    tree: dict[str, Any] = {}
    for name in given:
        path = name.rpartition(".")[0]
        inner = tree
        for part in (name if not path or path in broken else path).split("."):
            inner = inner.setdefault(part, {})
    return ", ".join(_branches(tree))


def _branches(tree: Mapping[str, Any]) -> list[str]:
    """Each name with what stands below it; names with the same below them together."""
    together: dict[str, list[str]] = {}
    for name, below in tree.items():
        inner = _branches(below)
        end = f".{{{','.join(inner)}}}" if len(inner) > 1 else "".join(f".{one}" for one in inner)
        together.setdefault(end or f" {name}", []).append(name)  # what has nothing below it keeps its place
    return [
        alike[0] + end.partition(" ")[0] if len(alike) == 1 else f"{{{','.join(alike)}}}{end}"
        for end, alike in together.items()
    ]


def _difference(item: Wanted, source: Source) -> str:
    return f"{item.tensor} {source.tensors[item.tensor].shape}, layer {item.layer.name!r} needs {item.shape}"


def _has_batch_norm(names: Iterable[str]) -> bool:
    return any("running_mean" in name or "moving_mean" in name for name in names)


def _advice(wanted: Sequence[Wanted], missing: Sequence[Wanted], unfit: Sequence[Wanted], extra: Sequence[str]) -> str:
    if unfit and all(item.in_head for item in unfit) and not missing and not extra:
        return ". The dense layers were trained for another size of picture: give that size, or leave the head out"
    if _has_batch_norm(extra) and not _has_batch_norm(item.tensor for item in wanted):
        return ". The file has batch normalisation, the network has none"
    return ". Is it the same network?"
