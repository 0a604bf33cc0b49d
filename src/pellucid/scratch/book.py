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


def _names(module: str, *names: str, **renamed: str) -> tuple[str, ...]:
    """renamed: the book's name for one that has another here."""
    own = {name: name for name in names} | renamed
    return (_NUMPY, *(f"{_HERE}{module}:{name} as {book}" for book, name in own.items()))


_FUNCTIONS = _of("functions", "losses")
_LAYERS = (*_of("layers", "losses", "normalization", "columns"), *_FUNCTIONS)
_LAYERED = (*_LAYERS, *_of("gradient"), *_SYSTEM, _ORDERED)
_SAVED = (*_LAYERED, "pickle as pickle")
_ROWS_GRADIENT = _names("gradient", numerical_gradient="numerical_gradient_2d")
_GATES = _names("chapters", "AND", "NAND", "OR", "XOR")
_VALLEY = (*_of("optimizers"), *_names("chapters", "f", "df"), *_SYSTEM, _ORDERED)
_TRAINED = (*_of("neuralnet_mnist", "mnist"), *_SYSTEM, "pickle as pickle")


MODULES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "common.functions": _FUNCTIONS,
        "common.gradient": (*_of("gradient"), *_names("gradient", _numerical_gradient_1d="numerical_gradient")),
        "common.layers": _LAYERS,
        "common.multi_layer_net": (*_LAYERED, *_of("multi_layer_net")),
        "common.multi_layer_net_extend": (*_LAYERED, *_of("multi_layer_net")),
        "common.optimizer": _of("optimizers"),
        "common.trainer": (*_of("optimizers", "trainer"), *_SYSTEM),
        "common.util": _of("columns", "curves"),
        "dataset.mnist": (*_of("mnist"), "os as os", "gzip as gzip", "pickle as pickle"),
        "ch01.man": _names("chapters", "Man"),
        "ch02.and_gate": _GATES,
        "ch02.nand_gate": _GATES,
        "ch02.or_gate": _GATES,
        "ch02.xor_gate": _GATES,
        "ch03.mnist_show": (*_of("mnist"), *_names("chapters", "img_show"), *_SYSTEM),
        "ch03.neuralnet_mnist": _TRAINED,
        "ch03.neuralnet_mnist_batch": _TRAINED,
        "ch03.relu": _names("functions", "relu"),
        "ch03.sig_step_compare": _names("functions", "sigmoid", "step_function"),
        "ch03.sigmoid": _names("functions", "sigmoid"),
        "ch03.step_function": _names("functions", "step_function"),
        "ch04.gradient_1d": _names("slopes", "numerical_diff", "function_1", tangent_line="tangent_of_curve"),
        "ch04.gradient_2d": (
            *_names("slopes", "function_2", "tangent_line"),
            *_names("gradient", _numerical_gradient_no_batch="numerical_gradient"),
            *_ROWS_GRADIENT,
        ),
        "ch04.gradient_method": (*_names("slopes", "gradient_descent", function_2="sum_of_squares"), *_ROWS_GRADIENT),
        "ch04.gradient_simplenet": (*_of("gradient", "functions"), *_names("chapters", "simpleNet"), *_SYSTEM),
        "ch04.two_layer_net": (*_FUNCTIONS, *_of("gradient", "two_layer_net_sigmoid"), *_SYSTEM),
        "ch05.layer_naive": _names("chapters", "AddLayer", "MulLayer"),
        "ch05.two_layer_net": (*_LAYERED, *_of("two_layer_net")),
        "ch06.optimizer_compare_naive": _VALLEY,
        "ch06.show_optimizer_adagrad": _VALLEY,
        "ch06.show_optimizer_adam": _VALLEY,
        "ch06.show_optimizer_momentum": _VALLEY,
        "ch06.show_optimizer_sgd": _VALLEY,
        "ch06.weight_init_activation_histogram": (*_names("chapters", "ReLU", "tanh"), *_names("functions", "sigmoid")),
        "ch07.apply_filter": _names("chapters", "filter_show"),
        "ch07.simple_convnet": (*_SAVED, *_of("simple_convnet")),
        "ch07.visualize_filter": _of("filters"),
        "ch08.deep_convnet": (*_SAVED, *_of("deep_convnet")),
    }
)
"""What each holds: the public names of all these, and single ones that the book's hand on ("numpy as np").

A program that lies in a chapter's folder leaves the chapter out.
"""
