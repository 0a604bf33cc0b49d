"""Changes of JSON, and of the description in a model file, which leave the rest of the file whole: for the fuzzers."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random


def described(description: bytes, file: bytes) -> bytes:
    """A model file's arrays under another description, with a right checksum."""
    text = description.decode("utf-8", "replace")
    begin = 8 + int.from_bytes(file[:8], "little")
    table, data = json.loads(file[8:begin]), file[begin:]
    del table["__metadata__"]
    parts = (text.encode(), json.dumps(table, sort_keys=True, separators=(",", ":")).encode())
    covered = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    table["__metadata__"] = {"pellucid": text, "sha256": hashlib.sha256(covered + data).hexdigest()}
    header = json.dumps(table).encode()
    return len(header).to_bytes(8, "little") + header + data


def description_of(file: bytes) -> bytes:
    """The description in a model file."""
    header = json.loads(file[8 : 8 + int.from_bytes(file[:8], "little")])
    return str(header["__metadata__"]["pellucid"]).encode()


VALUES: tuple[object, ...] = (
    *(-1, 0, 1, 2, 3, 7, 255, 2**16, 2**31, 2**32 - 1, 2**62, 2**63, 2**64, 10**400, -0.5, 1e-300, 1e308, float("inf")),
    *(None, True, False, "", "x", "same", "valid", "relu", "he_normal", "l2", "U8", "F64", "\ud800", "\x1b[2J"),
    *([], {}, [1], [2, 2], [[1, 2], [3, 4]], [2**40, 2**40], {"type": "Dense"}, {"type": "L2", "rate": -1}, [[[[[]]]]]),
)


def changed(value: object, rng: random.Random, depth: int = 0) -> object:
    """JSON with one node replaced, removed, doubled or moved; text that is JSON itself is changed within."""
    if isinstance(value, str) and value.startswith("{") and rng.random() < 0.9:
        with contextlib.suppress(ValueError, RecursionError):
            return json.dumps(changed(json.loads(value), rng))
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inside = list(pairs)
    if not inside or depth > 20 or rng.random() < 0.15:
        few = len(repr(value)) > 40
        return rng.choice(VALUES) if rng.random() < 0.8 else [value] * rng.choice((1, 2) if few else (1, 2, 9, 1200))
    key, child = rng.choice(inside)
    kind = rng.randrange(8)
    if isinstance(value, list):
        new = list(value)
        if kind == 0:
            del new[int(key)]
        elif kind == 1:
            new.insert(rng.randrange(len(new) + 1), rng.choice(new))
        else:
            new[int(key)] = changed(child, rng, depth + 1)
        return new
    table = dict(inside)
    if kind == 0:
        del table[key]
    elif kind == 1:
        table[rng.choice(("type", "name", "units", "filters", "x", str(key) + "2"))] = table.pop(key)
    elif kind == 2:
        table[key] = rng.choice(inside)[1]
    else:
        table[key] = changed(child, rng, depth + 1)
    return table
