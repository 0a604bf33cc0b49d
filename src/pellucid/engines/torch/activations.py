"""Our nonlinearities in PyTorch's words: the expression of each, by its kind."""

from __future__ import annotations

from pellucid import layers
from pellucid.errors import ConfigError
from pellucid.layers import Layer, Nonlinearity
from pellucid.layers.graph import Visit


def axis_of(axis: int, rank: int) -> int:
    """PyTorch's number of an axis of ours, both counted with the batch. rank: of the value, with the batch."""
    axis %= rank
    return 0 if axis == 0 else 1 if axis == rank - 1 else axis + 1


FUNCTIONS: dict[str, str] = {
    "relu": "F.relu({x})",
    "sigmoid": "torch.sigmoid({x})",
    "tanh": "torch.tanh({x})",
    "selu": "F.selu({x})",
    "hard_sigmoid": "F.hardsigmoid({x})",
    "softsign": "F.softsign({x})",
    "softplus": "F.softplus({x})",
    "silu": "F.silu({x})",
    "hard_silu": "F.hardswish({x})",
    "gelu": "F.gelu({x})",
    "gelu_tanh": 'F.gelu({x}, approximate="tanh")',
    "leaky_relu": "F.leaky_relu({x}, {slope})",
    "elu": "F.elu({x}, {slope})",
    "celu": "F.celu({x}, {slope})",
    "exponential": "torch.exp({x})",
    "hard_shrink": "F.hardshrink({x}, {threshold})",
    "hard_tanh": "F.hardtanh({x})",
    "log_sigmoid": "F.logsigmoid({x})",
    "mish": "F.mish({x})",
    "soft_shrink": "F.softshrink({x}, {threshold})",
    "sparse_plus": "(torch.square(({x} + 1).clamp(0, 2)) / 4 + F.relu({x} - 1))",
    "sparse_sigmoid": "(({x} + 1).clamp(0, 2) / 2)",
    "squareplus": "(({x} + torch.sqrt({x} * {x} + {slope})) / 2)",
    "tanh_shrink": "F.tanhshrink({x})",
}
"""Of nonlinearities by their kinds; relu6, which has several numbers, and those of ROWS are below."""
ROWS = ("softmax", "log_softmax")
"""Those that run over an axis."""


def nonlinear(layer: Layer, visit: Visit) -> tuple[str, ...]:
    """What acts on a layer's result last."""
    how = layer.nonlinearity
    if how is None:
        return ()
    if how.kind in ROWS:
        axis = layer.axis if isinstance(layer, layers.Softmax) else -1
        return (f"F.{how.kind}({{x}}, {axis_of(axis, len(visit.output_shape) + 1)})",)
    if how.kind not in FUNCTIONS and how.kind != "relu6":
        raise ConfigError(f"{layer.place()}: PyTorch has no {how.kind}; use softmax")
    step = _bounded(how) if how.kind == "relu6" else FUNCTIONS[how.kind]
    for name, value in how.numbers.items():
        step = step.replace(f"{{{name}}}", repr(value))
    if how.steepness != 1:
        step = step.replace("{x}", f"({how.steepness!r} * {{x}})")
    return (step if how.amplitude == 1 else f"{how.amplitude!r} * {step}",)


def _bounded(how: Nonlinearity) -> str:
    slope, threshold, ceiling = (how.numbers[name] for name in ("slope", "threshold", "ceiling"))
    if not slope and not threshold:
        return "F.relu({x})" if ceiling == float("inf") else f"F.hardtanh({{x}}, 0.0, {ceiling!r})"
    most = "{x}" if ceiling == float("inf") else f"{{x}}.clamp(max={ceiling!r})"
    return f"torch.where({{x}} > {threshold!r}, {most}, {slope!r} * ({{x}} - {threshold!r}))"
