"""Reads one HDF5 file of Keras's for another process, which it serves over its standard input and output.

Run as a program of its own, under limits of memory and time, because the HDF5 library is C and the file a stranger's.
It first writes one line of JSON, the index: every layer with weights, the shape of each weight, and the texts that tell
of the model, where the file has them. Then for each line
that it reads, the JSON name of a weight, it writes a line {"bytes": N} and N bytes of little-endian float32. Instead of
either it may write {"error": "..."}.

Only plain groups and data sets stored in the file itself are followed. A link (soft or external), a virtual data set,
one kept in other files, and any filter but HDF5's own compressions are refused. Nothing here imports Pellucid.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import sys
from typing import Any, BinaryIO, NoReturn

MEMORY_BYTES = 2 << 30
CPU_SECONDS = 300
MAX_NAMES = 10_000
MAX_ARRAYS = 16
MAX_DIMS = 8
MAX_DEPTH = 16
"""Models within models."""
MAX_TEXT = 8 << 20
MAX_CHUNK_BYTES = 256 << 20
SLAB_BYTES = 16 << 20
MAX_UNPACKED, SPARE_BYTES = 16, 1 << 20
"""Numbers may take this many times the bytes that are stored, and so many more; weights are not packed more tightly."""
FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}


class Refused(Exception):
    """What is wrong with the file, and where in it."""


INNER = (
    *("cell", "layer", "forward_layer", "backward_layer"),
    *("query_dense", "key_dense", "value_dense", "output_dense"),
)
"""What .weights.h5 calls layers within a layer."""


def set_limits() -> None:
    """Memory, processor time, and no file to be written; where the system knows such limits."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for what, amount in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (amount, amount))


def follow(group: Any, path: str) -> Any:
    """The object at a path below a group, by plain links alone."""
    import h5py

    place = group
    for name in path.split("/"):
        where = f"{place.name.rstrip('/')}/{name}"
        if not isinstance(place, h5py.Group) or name in ("", ".", "..") or name not in place:
            raise Refused(f"{where}: is missing")
        if not isinstance(place.get(name, getlink=True), h5py.HardLink):
            raise Refused(f"{where}: is a link to another place or file; only weights in the file itself are read")
        place = place[name]
    return place


def texts(group: Any, name: str) -> list[str]:
    """An attribute that lists names; a long one is cut into name0, name1 and so on."""
    import h5py

    found: list[str] = []
    numbered = itertools.takewhile(lambda part: part in group.attrs, (f"{name}{i}" for i in range(MAX_NAMES)))
    for part in [name] if name in group.attrs else numbered:
        where = f"{group.name}, attribute {part!r}"
        attribute = h5py.h5a.open(group.id, part.encode())
        if len(attribute.shape) != 1 or attribute.dtype.kind not in "SOUf":
            raise Refused(f"{where}: expected a list of names, got shape {attribute.shape} of {attribute.dtype}")
        if len(found) + attribute.shape[0] > MAX_NAMES:
            raise Refused(f"{where}: lists more than {MAX_NAMES} names")
        if attribute.shape[0]:  # an empty list is stored as floats
            found += [value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in group.attrs[part]]
    return found


def described(dataset: Any) -> dict[str, Any]:
    """The shape and type of a data set, after everything but its numbers was checked."""
    import h5py

    if not isinstance(dataset, h5py.Dataset):
        raise Refused(f"{getattr(dataset, 'name', '?')}: expected a data set, got a {type(dataset).__name__}")
    where = dataset.name
    if dataset.is_virtual or dataset.external:
        raise Refused(f"{where}: its numbers lie in other files; only weights in the file itself are read")
    if dataset.shape is None or len(dataset.shape) > MAX_DIMS:
        raise Refused(f"{where}: has {'no' if dataset.shape is None else 'too many'} axes; at most {MAX_DIMS} are read")
    if dataset.dtype.kind not in "fiu" or dataset.dtype.itemsize > 8:
        raise Refused(f"{where}: holds {dataset.dtype}, expected numbers")
    plan = dataset.id.get_create_plist()
    for i in range(plan.get_nfilters()):
        if plan.get_filter(i)[0] not in FILTERS:
            raise Refused(
                f"{where}: is packed by filter {plan.get_filter(i)[0]}; {', '.join(FILTERS.values())} are read"
            )
    if dataset.chunks and math.prod(dataset.chunks) * dataset.dtype.itemsize > MAX_CHUNK_BYTES:
        raise Refused(f"{where}: is stored in chunks {dataset.chunks} of more than {MAX_CHUNK_BYTES} bytes")
    if dataset.size and not dataset.id.get_storage_size():
        raise Refused(f"{where}: says it has shape {dataset.shape}, but holds no numbers")
    stored = dataset.id.get_storage_size()
    if dataset.size * dataset.dtype.itemsize > MAX_UNPACKED * stored + SPARE_BYTES:
        raise Refused(f"{where}: says it has shape {dataset.shape}, far more than its {stored} bytes can hold")
    return {"path": where, "shape": list(dataset.shape), "dtype": str(dataset.dtype)}


def index(file: Any) -> dict[str, Any]:
    """Every layer that has weights, in the file's order, and what is said of the model: "model_config" and the like."""
    told = {name: text(file, name) for name in ("model_config", "training_config", "keras_version", "backend")}
    if "layer_names" in file.attrs or "layer_names0" in file.attrs:
        return {"style": "legacy", "layers": listed_layers(file), **told}
    if "model_weights" in file:
        weights = follow(file, "model_weights")
        told |= {name: told[name] or text(weights, name) for name in ("keras_version", "backend")}
        return {"style": "legacy", "layers": listed_layers(weights), **told}
    if container(file) is not None:
        found: list[dict[str, Any]] = []
        add_numbered(file, "", found, 0)
        return {"style": "keras3", "layers": found, **told}
    raise Refused("holds no weights of a Keras model: it has neither layer_names, nor model_weights, nor layers")


def text(group: Any, name: str) -> str | None:
    """An attribute that is one text; None where there is none."""
    import h5py

    if name not in group.attrs:
        return None
    where = f"{group.name}, attribute {name!r}"
    attribute = h5py.h5a.open(group.id, name.encode())
    if attribute.shape != () or attribute.dtype.kind not in "SO" or attribute.dtype.itemsize > MAX_TEXT:
        raise Refused(f"{where}: expected a text, got shape {attribute.shape} of {attribute.dtype}")
    value = group.attrs[name]
    found = value.decode("utf-8") if isinstance(value, bytes) else str(value)
    if len(found) > MAX_TEXT:
        raise Refused(f"{where}: has {len(found)} letters, at most {MAX_TEXT} are read")
    return found


def listed_layers(root: Any) -> list[dict[str, Any]]:
    """The layout of .h5: an attribute names the layers, and one of each layer's names its weights.

    What is listed for a model within the model is parted by the groups its weights lie in, GROUP/PARENT.
    """
    found = []
    for layer in texts(root, "layer_names"):
        group = follow(root, layer)
        parents: dict[str, list[str]] = {}
        for name in texts(group, "weight_names"):
            parents.setdefault(name.rpartition("/")[0], []).append(name)
        for parent, names in parents.items():
            if len(names) > MAX_ARRAYS:
                raise Refused(f"{group.name}: has {len(names)} weights, at most {MAX_ARRAYS} are read")
            arrays = [described(follow(group, name)) for name in names]
            found.append({"name": layer if len(parents) == 1 else f"{layer}/{parent}", "arrays": arrays})
    return found


def container(group: Any) -> str | None:
    """What a model's group calls the one with its layers."""
    return next((name for name in ("layers", "_layer_checkpoint_dependencies") if name in group), None)


def add_inner(layer: Any, path: str, found: list[dict[str, Any]], depth: int) -> None:
    """Layers within a layer: the cell of a recurrent one, the matrices of attention, what a wrapper is around."""
    for name in INNER if depth <= MAX_DEPTH else ():
        if name in layer:
            group = follow(layer, name)
            if "vars" in group:
                add_values(follow(group, "vars"), f"{path}/{name}", found)
            add_inner(group, f"{path}/{name}", found, depth + 1)


def add_values(values: Any, name: str, found: list[dict[str, Any]]) -> None:
    """The numbered weights of one layer."""
    if len(values) > MAX_ARRAYS:
        raise Refused(f"{values.name}: has {len(values)} weights, at most {MAX_ARRAYS} are read")
    arrays = [described(follow(values, str(i))) for i in range(len(values))]
    if arrays:
        found.append({"name": name, "arrays": arrays})


def add_numbered(model: Any, path: str, found: list[dict[str, Any]], depth: int) -> None:
    """The layout of .weights.h5: a group for each layer, its weights numbered in `vars`; models within have layers."""
    root = follow(model, container(model) or "layers")
    if depth > MAX_DEPTH or len(root) + len(found) > MAX_NAMES:
        raise Refused(f"{root.name}: has more than {MAX_NAMES} layers, or lies more than {MAX_DEPTH} deep")
    for layer in root:
        group = follow(root, layer)
        if "vars" in group:
            add_values(follow(group, "vars"), f"{path}{layer}", found)
        add_inner(group, f"{path}{layer}", found, depth + 1)
        if container(group) is not None:
            add_numbered(group, f"{path}{layer}/layers/", found, depth + 1)


def send(dataset: Any, out: BinaryIO) -> None:
    """The numbers of a data set, a slab at a time."""
    out.write(json.dumps({"bytes": dataset.size * 4}).encode() + b"\n")
    if not dataset.shape:
        out.write(dataset[()].astype("<f4").tobytes())
    elif dataset.size:
        step = max(1, SLAB_BYTES // max(1, dataset.size // dataset.shape[0] * 8))
        for start in range(0, dataset.shape[0], step):
            out.write(dataset[start : start + step].astype("<f4").tobytes())
    out.flush()


def serve(path: str) -> None:
    """Answer until the input ends."""
    out = sys.stdout.buffer
    try:
        set_limits()
        import h5py
        import numpy as np

        np.seterr(over="ignore")
        with h5py.File(path, "r") as file:
            listed = index(file)
            out.write(json.dumps(listed).encode() + b"\n")
            out.flush()
            known = {array["path"] for layer in listed["layers"] for array in layer["arrays"]}
            for line in sys.stdin.buffer:
                name = json.loads(line)
                if name not in known:
                    raise Refused(f"{name}: is not in the index")
                send(file[name], out)
    except Refused as error:
        fail(out, str(error))
    except MemoryError:
        fail(out, f"needs more than {MEMORY_BYTES >> 20} MB of memory to be read")
    except Exception as error:  # whatever the C library makes of a damaged file
        fail(out, f"is no whole HDF5 file ({type(error).__name__}: {error})")


def fail(out: BinaryIO, message: str) -> NoReturn:
    out.write(json.dumps({"error": message}).encode() + b"\n")
    out.flush()
    raise SystemExit(1)


if __name__ == "__main__":
    serve(sys.argv[1])
