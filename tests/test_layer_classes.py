"""Who wants to know what a layer is asks it (`layers/traits.py`): its class is looked at in a few places alone."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pellucid
from pellucid.layers import NAMES

SOURCE = Path(pellucid.__file__).parent

PLACES = {
    "engines/torch/activations.py": (1, "a softmax of its own has an axis"),
    "engines/torch/layout.py": (1, "the one kernel that PyTorch has with zeros between"),
    "engines/torch/network.py": (1, "no layer of ours, but a module of PyTorch's that is called so"),
    "engines/torch/table.py": (1, "the table itself"),
    "keras/lookup.py": (1, "no layer of a network, but one that splits texts where it counts them"),
    "keras/nesting.py": (1, "what Keras calls a layer of its class, which numbers of layers follow"),
    "keras/networks/application.py": (2, "what somebody gave as input_tensor is an Input or is computed from some"),
    "keras/networks/torchvision.py": (
        2,
        "where Keras's description of a network differs: no dropout, sums the other way",
    ),
    "lab/settings.py": (1, "the one kind of layer whose rate is set while it trains"),
    "model/model.py": (1, "what somebody gave as inputs must be an Input"),
    "plan/folding.py": (3, "lowering matches exact types: who overrides a layer gets what he wrote"),
    "plan/batch_norm.py": (1, "likewise: which of those that its pattern has matched is the sum"),
    "plan/normed_convolution.py": (
        2,
        "likewise: which are norms, and whether the first convolves each channel by itself",
    ),
    "plan/pooled_convolution.py": (1, "likewise, of two kinds that its pattern has matched"),
}
"""Where a layer's class is looked at, how often, and why. Layers themselves and the table of patterns are left out."""

TRANSLATED = ("convert/", "export/")
"""Folders that say in other programs' words which of our classes a layer is: there a class is what is translated."""


def named(node: ast.AST) -> bool:
    """Whether a layer's class is named in it."""
    return any(
        (one.id if isinstance(one, ast.Name) else one.attr if isinstance(one, ast.Attribute) else "") in NAMES
        for one in ast.walk(node)
    )


def of_a_type(node: ast.AST) -> bool:
    """Whether something's class is asked for in it: type(layer), or the name of that."""
    return any(
        isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == "type" for one in ast.walk(node)
    )


def looks(tree: ast.AST) -> Iterator[int]:
    """The lines that look at a layer's class."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, kinds]) if named(kinds):
                yield node.lineno
            case ast.Compare(left=left, comparators=others) if of_a_type(left) and (
                any(map(named, others)) or ".__name__" in ast.unparse(left)
            ):
                yield node.lineno
            case ast.Subscript(slice=key) if of_a_type(key):
                yield node.lineno
            case ast.Call(func=ast.Attribute(attr="get"), args=[key, *_]) if of_a_type(key):
                yield node.lineno
            case ast.Dict(keys=keys) if any(key is not None and named(key) for key in keys):
                yield node.lineno


def test_a_layers_class_is_looked_at_in_a_few_places_alone() -> None:
    found: Counter[str] = Counter()
    lines = []
    for path in sorted(SOURCE.rglob("*.py")):
        name, code = path.relative_to(SOURCE).as_posix(), path.read_text(encoding="utf-8")
        if "pellucid.layers" in code and not name.startswith(("layers/", "scratch/", "plan/patterns", *TRANSLATED)):
            for line in looks(ast.parse(code)):
                found[name] += 1
                lines.append(f"{name}:{line}")
    assert found == {name: count for name, (count, _) in PLACES.items()}, "\n".join(lines)


def test_what_looks_at_a_class_is_found() -> None:
    for code in (
        "isinstance(layer, L.Conv2D | Dense)",
        "type(layer) is ReLU",
        "type(layer).__name__ == 'ReLU'",
        "WORDS[type(layer)]",
        "WORDS.get(type(layer).__name__)",
        "{Conv2D: 'conv'}",
    ):
        assert list(looks(ast.parse(code))) == [1], code
    assert not list(looks(ast.parse("isinstance(layer, Layer); Conv2D(4, 3); type(layer).__name__; type(x) is float")))
