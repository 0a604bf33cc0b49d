"""Which modules of this package stand for which of the book's."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["MODULES"]

_HERE = "pellucid.scratch."
_NUMPY = "numpy as np"
"""What the book's `from common.layers import *` hands on too."""
_SYSTEM = ("os as os", "sys as sys")
_ORDERED = "collections:OrderedDict as OrderedDict"


def _of(*modules: str) -> tuple[str, ...]:
    return (_NUMPY, *(_HERE + module for module in modules))


_FUNCTIONS = _of("functions", "losses")
_LAYERS = (*_of("layers", "losses", "normalization", "columns"), *_FUNCTIONS)
_LAYERED = (*_LAYERS, *_of("gradient"), *_SYSTEM, _ORDERED)
_SAVED = (*_LAYERED, "pickle as pickle")

MODULES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "common.functions": _FUNCTIONS,
        "common.gradient": _of("gradient"),
        "common.layers": _LAYERS,
        "common.multi_layer_net": (*_LAYERED, *_of("multi_layer_net")),
        "common.multi_layer_net_extend": (*_LAYERED, *_of("multi_layer_net")),
        "common.optimizer": _of("optimizers"),
        "common.trainer": (*_of("optimizers", "trainer"), *_SYSTEM),
        "common.util": _of("columns", "curves"),
        "dataset.mnist": (*_of("mnist"), "os as os", "gzip as gzip", "pickle as pickle"),
        "ch02.and_gate": _of("gates"),
        "ch02.nand_gate": _of("gates"),
        "ch02.or_gate": _of("gates"),
        "ch02.xor_gate": _of("gates"),
        "ch04.gradient_2d": _of("gradient_2d"),
        "ch04.two_layer_net": (*_FUNCTIONS, *_of("gradient", "two_layer_net_sigmoid"), *_SYSTEM),
        "ch05.layer_naive": _of("naive"),
        "ch05.two_layer_net": (*_LAYERED, *_of("two_layer_net")),
        "ch07.simple_convnet": (*_SAVED, *_of("simple_convnet")),
        "ch08.deep_convnet": (*_SAVED, *_of("deep_convnet")),
    }
)
"""What each holds: the public names of all these, and single ones that the book's hand on ("numpy as np").

A program that lies in a chapter's folder leaves the chapter out.
"""
