"""Which array of a file goes where in a model: everything that does not fit, in one error."""

from __future__ import annotations

from collections.abc import Sequence

from pellucid.convert.source import Source, Wanted
from pellucid.errors import CheckpointError
from pellucid.model import Model

SHOWN = 4
"""Arrays that an error names of those with one fault."""


def match(model: Model, source: Source, *, no_top: bool, blue_first: bool) -> tuple[list[Wanted], tuple[str, ...]]:
    """(taken, fresh): what a model takes from a file, and the layers that keep their own weights, for it has none.

    A head is left fresh where `no_top` says so, or the file has none of it; the last dense layer alone where the file's
    was made for another number of classes. blue_first: as for Source.wanted.
    Errors: CheckpointError that counts the arrays that are missing, left over, of another shape, or not of floats, and
    names the first of each.
    """
    wanted = source.wanted(model, blue_first=blue_first)
    head = [item for item in wanted if item.in_head]
    fresh: list[str] = []
    if head and (no_top or not any(item.tensor in source.tensors for item in head)):
        fresh = [item.layer.name for item in head]
    elif _other_classes(head, source):
        fresh = [head[-1].layer.name]
    taken = [item for item in wanted if item.layer.name not in fresh]
    missing = [item for item in taken if item.tensor not in source.tensors]
    present = [item for item in taken if item.tensor in source.tensors]
    unfit = [item for item in present if source.tensors[item.tensor].shape != item.shape]
    whole = [item for item in present if not source.tensors[item.tensor].is_float]
    known = {item.tensor for item in wanted}
    extra = [name for name in source.tensors if name not in known and not source.is_spare(name, no_top=no_top)]
    faults = [
        *_listed("missing", [f"{item.tensor} {item.shape}" for item in missing]),
        *_listed("of another shape", [_difference(item, source) for item in unfit]),
        *_listed("not of floats", [f"{item.tensor} ({source.tensors[item.tensor].dtype})" for item in whole]),
        *_listed("left over", [f"{name} {source.tensors[name].shape}" for name in extra]),
    ]
    if faults:
        raise CheckpointError(
            f"{source.path} does not fit {model.name}: {'; '.join(faults)}{_advice(missing, unfit, extra)}"
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


def _listed(what: str, items: Sequence[str]) -> list[str]:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return [f"{len(items)} {what}: {', '.join(items[:SHOWN])}{more}"] if items else []


def _difference(item: Wanted, source: Source) -> str:
    return f"{item.tensor} {source.tensors[item.tensor].shape}, layer {item.layer.name!r} needs {item.shape}"


def _advice(missing: Sequence[Wanted], unfit: Sequence[Wanted], extra: Sequence[str]) -> str:
    if unfit and all(item.in_head for item in unfit) and not missing and not extra:
        return ". The dense layers were trained for another size of picture: give that size, or leave the head out"
    if any("running_mean" in name or "moving_mean" in name for name in extra):
        return ". The file has batch normalisation, the network has none"
    return ". Is it the same network?"
