"""Arguments of layers by the names that Keras 1 had for them: one list for calls and for configs in files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pellucid.errors import ConfigError, shown

OLDER: Mapping[str, Sequence[str]] = {
    "init": ("kernel_initializer", "embeddings_initializer", "alpha_initializer"),
    "W_regularizer": ("kernel_regularizer", "embeddings_regularizer"),
    "W_constraint": ("kernel_constraint", "embeddings_constraint"),
    "b_regularizer": ("bias_regularizer",),
    "b_constraint": ("bias_constraint",),
    "bias": ("use_bias",),
    "beta_init": ("beta_initializer",),
    "gamma_init": ("gamma_initializer",),
    "inner_init": ("recurrent_initializer",),
    "inner_activation": ("recurrent_activation",),
    "U_regularizer": ("recurrent_regularizer",),
    "dropout_W": ("dropout",),
    "dropout_U": ("recurrent_dropout",),
    "output_dim": ("units",),
    "nb_filter": ("filters",),
    "filter_length": ("kernel_size",),
    "pool_length": ("pool_size",),
    "length": ("size",),
    "border_mode": ("padding",),
    "subsample": ("strides",),
    "subsample_length": ("strides",),
    "stride": ("strides",),
    "atrous_rate": ("dilation_rate",),
    "dim_ordering": ("data_format",),
    "alpha": ("negative_slope",),
    "p": ("rate",),
    "sigma": ("stddev",),
    "causal": ("use_causal_mask",),
}
"""For each name of then what it is called today: the first of these that a layer has."""

TOGETHER: Mapping[tuple[str, str], str] = {
    ("nb_row", "nb_col"): "kernel_size",
    ("input_length", "input_dim"): "input_shape",
}
"""Two numbers of then that are one argument today."""

MERGES: Mapping[str, str] = {
    "sum": "Add",
    "mul": "Multiply",
    "ave": "Average",
    "max": "Maximum",
    "concat": "Concatenate",
}
"""For each mode of `Merge`, which merged values in Keras 1, the layer that does it today."""

_ORDERS = {"th": "channels_first", "tf": "channels_last", "default": None}


def modern(known: Collection[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, or a config has, by today's names; `known` are the layer's own.

    Errors: ConfigError where one argument is given under both.
    """
    found = dict(given)
    for pair, today in TOGETHER.items():
        if today in known and found.keys() >= set(pair):
            rename(found, pair, today, tuple(found.pop(name) for name in pair))
    for name in given.keys() & OLDER.keys() - set(known):
        today = next((one for one in OLDER[name] if one in known or one == "data_format"), name)
        if today != name:
            rename(found, (name,), today, found.pop(name))
    return found


def rename(found: dict[str, Any], older: Sequence[str], today: str, value: Any) -> None:
    """Put a value under today's name. Errors: ConfigError where there is one under it."""
    if today in found:
        raise ConfigError(f"{' and '.join(older)} and {today} are one argument; say {today} alone")
    found[today] = _ORDERS.get(value, value) if today == "data_format" else value


def kernel_of_two(where: str, args: Sequence[Any], given: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of a convolution in the order of Keras 1, (filters, rows, columns, init, activation), as today's.

    Errors: ConfigError for two numbers that may be rows and columns, or a kernel and its strides.
    """
    if len(args) < 3 or not all(isinstance(one, int) for one in args[:3]):
        return tuple(args), dict(given)
    if args[1] != args[2] and given.keys().isdisjoint(OLDER):
        raise ConfigError(
            f"{where}({', '.join(map(shown, args[:3]))}): Keras 1 reads a kernel of {args[1]} x {args[2]}, Keras 2 and "
            f"3 read strides of {args[2]}; say kernel_size=({args[1]}, {args[2]}), or strides={args[2]}"
        )
    rest = dict(zip(("kernel_initializer", "activation"), args[3:], strict=False))
    return (args[0], tuple(args[1:3])), {**rest, **given}
