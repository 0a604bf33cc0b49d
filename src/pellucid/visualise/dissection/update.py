"""What one step of an optimizer does to one weight: gradient, penalty, clipping, decay, moments, and the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from pellucid import optimizers
from pellucid._display import Brief
from pellucid._fixed import is_own
from pellucid._numbers import number
from pellucid.errors import ConfigError
from pellucid.model.tracing import Trace
from pellucid.ops import Array
from pellucid.ops.geometry import whole
from pellucid.optimizers import Optimizer
from pellucid.visualise.dissection.values import signed
from pellucid.visualise.dissection.weight import expect_index, gradients_of


class Line(NamedTuple):
    """One line of an update: what is computed ("gradient", a moment's name, "weight"), from what, and its value."""

    name: str
    expression: str
    value: float


@dataclass(frozen=True, repr=False)
class UpdateDissection(Brief):
    """What one step does to one weight: `weight` becomes `updated`, as the optimizer itself computes it, in float32.

    formula: the optimizer's own, in words. gradient: of the loss; penalty: what the layer's weight penalty adds to it;
    clipped: what the optimizer's clipping makes of the sum; decay: what weight decay adds to that, or, where it is
    `decoupled` (as in AdamW), what it takes off the weight itself. used: what goes into the rule.
    moments, updated_moments: before and after, by name. step: from 1.
    """

    layer: str
    parameter: str
    index: tuple[int, ...]
    optimizer: str
    formula: str
    step: int
    learning_rate: float
    gradient: float
    penalty: float
    clipped: float
    decay: float
    decoupled: bool
    used: float
    moments: dict[str, float]
    updated_moments: dict[str, float]
    weight: float
    updated: float
    lines: tuple[Line, ...] = ()
    """The update in numbers, line by line; of an optimizer of your own only what goes in."""

    @property
    def change(self) -> float:
        """By how much the weight changes."""
        return self.updated - self.weight


def dissect_update(
    seen: Trace,
    layer: str,
    parameter: str = "kernel",
    index: Sequence[int] | None = None,
    *,
    optimizer: str | Optimizer | None = None,
    moments: Mapping[str, float] | None = None,
    step: int | None = None,
) -> UpdateDissection:
    """What the next training step would do to one weight, with the gradients of a trace with labels.

    index: None for the weight with the largest gradient. optimizer: None for the model's. moments: of this weight, by
    the optimizer's names for them; None for those that the model has come to, or fresh ones where it has none, or the
    optimizer is another. step: from 1; None for the one after the model's last, or 1.
    Errors: ConfigError for an unknown layer, parameter or moment, an index outside, a layer that is frozen, a trace
    without gradients, or a model without an optimizer where none is given.
    """
    model, traced = seen.model, seen[layer]
    rule = model.optimizer if optimizer is None else optimizers.get(optimizer)
    place = traced.layer
    if not place.trainable:
        raise ConfigError(f"{place.place()} is frozen (trainable=False): no step changes it")
    gradients = gradients_of(traced, parameter)
    at = expect_index(traced, parameter, gradients, index)
    weight = np.array([place.params[parameter][at]], np.float32)
    used = weight.copy()
    before = _moments(seen, layer, parameter, at, rule, own=optimizer is None) if moments is None else dict(moments)
    if before.keys() != rule.slots(1).keys():
        known = ", ".join(rule.slots(1)) or "none"
        raise ConfigError(f"{type(rule).__name__} has the moments {known}, got {', '.join(before) or 'none'}")
    slots = {name: np.array([value], np.float32) for name, value in before.items()}
    taken = model.optimizer_state.step if optimizer is None else 0
    count = whole(taken + 1 if step is None else step, "dissect_update: step", 2**62)
    penalised, clipped = _clipped(seen, layer, parameter, at, rule)
    decay_rate, lr = rule.weight_decay_of(f"{layer}/{parameter}"), rule.learning_rate_at(count - 1)
    grad = np.array([clipped], np.float32)
    rule.update(used, grad, slots, learning_rate=lr, step=count, weight_decay=decay_rate)
    decoupled = rule.decoupled_weight_decay
    w, gradient = float(weight[0]), float(gradients[at])
    decay = (lr if decoupled else 1.0) * decay_rate * w
    found = UpdateDissection(
        layer=layer,
        parameter=parameter,
        index=at,
        optimizer=type(rule).__name__,
        formula=(type(rule).__doc__ or "").split("\n")[0],
        step=count,
        learning_rate=lr,
        gradient=gradient,
        penalty=penalised - gradient,
        clipped=clipped,
        decay=decay,
        decoupled=decoupled,
        used=clipped + (0.0 if decoupled else decay),
        moments={name: float(slot) for name, slot in before.items()},
        updated_moments={name: float(slot[0]) for name, slot in slots.items()},
        weight=w,
        updated=float(used[0]),
    )
    lines = _into_the_rule(found, decay_rate)
    if not is_own(rule):  # one of a user's own may override anything
        lines += _LINES[rule.rule](found, rule.options())
    return replace(found, lines=tuple(lines))


def _moments(
    seen: Trace, layer: str, parameter: str, at: tuple[int, ...], rule: Optimizer, *, own: bool
) -> dict[str, float]:
    """Of one weight, those that the model has come to; fresh ones where there are none."""
    slots, parameters = seen.model.optimizer_state.slots if own else {}, seen.model.parameters
    if not slots:
        return {name: float(slot[0]) for name, slot in rule.slots(1).items()}
    segment = parameters.of(seen[layer].layer)[parameter]
    return {name: float(parameters.slot(vector, segment)[at]) for name, vector in slots.items()}


def _clipped(seen: Trace, layer: str, parameter: str, at: tuple[int, ...], rule: Optimizer) -> tuple[float, float]:
    """A weight's gradient with its penalty, and what is left of it after clipping, for which all gradients count."""
    gradients: dict[tuple[str, str], Array] = {}
    for step in seen:
        if step.layer.trainable:
            penalties = step.layer.penalties()
            for name, given in step.d_weights.items():
                gradients[step.name, name] = np.array(given, np.float32)  # a copy, which is clipped in place
                if name in penalties:
                    gradients[step.name, name] += penalties[name].gradient(step.layer.params[name])
    mine = gradients[layer, parameter]
    penalised = float(mine[at])
    rule.clip(list(gradients.values()))
    return penalised, float(mine[at])


def _into_the_rule(what: UpdateDissection, decay_rate: float) -> list[Line]:
    """How the gradient becomes what goes into the rule."""
    lines = [Line("gradient", number(what.gradient), what.gradient)]
    if what.penalty:
        value = what.gradient + what.penalty
        lines.append(Line("penalty", f"{number(what.gradient)} + {signed(what.penalty)}", value))
    if what.clipped != what.gradient + what.penalty:
        lines.append(Line("clipping", number(what.clipped), what.clipped))
    if what.decay and not what.decoupled:
        expression = f"{number(what.clipped)} + {number(decay_rate)} · {signed(what.weight)}"
        lines.append(Line("weight decay", expression, what.used))
    if what.decay and what.decoupled:
        lines.append(Line("weight decay", f"{number(what.weight)} - {signed(what.decay)}", _start(what)))
    return lines


def _start(what: UpdateDissection) -> float:
    """The weight that the rule begins with."""
    return what.weight - what.decay * what.decoupled


def _mean(name: str, what: UpdateDissection, rate: float, value: str) -> Line:
    """A running mean: rate of the old, the rest of the new."""
    expression = f"{number(rate)} · {signed(what.moments[name])} + {number(1 - rate)} · {value}"
    return Line(name, expression, what.updated_moments[name])


def _weight(what: UpdateDissection, step: str) -> Line:
    return Line("weight", f"{number(_start(what))} {step}", what.updated)


def _sgd(what: UpdateDissection, options: Mapping[str, Any]) -> list[Line]:
    step = f"{number(what.learning_rate)} · {signed(what.used)}"
    if "velocity" not in what.moments:
        return [_weight(what, f"- {step}")]
    velocity, momentum = what.updated_moments["velocity"], number(options["momentum"])
    line = Line("velocity", f"{momentum} · {signed(what.moments['velocity'])} - {step}", velocity)
    ahead = f"+ {momentum} · {signed(velocity)} - {step}" if options["nesterov"] else f"+ {signed(velocity)}"
    return [line, _weight(what, ahead)]


def _adagrad(what: UpdateDissection, options: Mapping[str, Any]) -> list[Line]:
    square = what.updated_moments["square"]
    step = f"{number(what.learning_rate)} · {signed(what.used)} / sqrt({number(square)} + {number(options['epsilon'])})"
    return [
        Line("square", f"{number(what.moments['square'])} + {signed(what.used)}²", square),
        _weight(what, f"- {step}"),
    ]


def _rmsprop(what: UpdateDissection, options: Mapping[str, Any]) -> list[Line]:
    after, rho = what.updated_moments, options["rho"]
    lines, spread = [_mean("square", what, rho, f"{signed(what.used)}²")], number(after["square"])
    if "mean" in after:
        lines.append(_mean("mean", what, rho, signed(what.used)))
        spread += f" - {signed(after['mean'])}²"
    step = f"{number(what.learning_rate)} · {signed(what.used)} / sqrt({spread} + {number(options['epsilon'])})"
    if "velocity" in after:
        before = f"{number(options['momentum'])} · {signed(what.moments['velocity'])}"
        lines.append(Line("velocity", f"{before} + {step}", after["velocity"]))
        step = signed(after["velocity"])
    return [*lines, _weight(what, f"- {step}")]


def _adadelta(what: UpdateDissection, options: Mapping[str, Any]) -> list[Line]:
    rho, epsilon = options["rho"], options["epsilon"]
    square, delta = what.updated_moments["square"], what.moments["delta"]
    u = what.used * np.sqrt(delta + epsilon) / np.sqrt(square + epsilon)
    roots = f"sqrt({number(delta)} + {number(epsilon)}) / sqrt({number(square)} + {number(epsilon)})"
    return [
        _mean("square", what, rho, f"{signed(what.used)}²"),
        Line("step", f"{signed(what.used)} · {roots}", float(u)),
        _mean("delta", what, rho, f"{signed(float(u))}²"),
        _weight(what, f"- {number(what.learning_rate)} · {signed(float(u))}"),
    ]


def _adam(what: UpdateDissection, options: Mapping[str, Any]) -> list[Line]:
    beta_1, beta_2, t, lr = options["beta1"], options["beta2"], what.step, what.learning_rate
    m, v = what.updated_moments["m"], what.updated_moments["v"]
    lines = [_mean("m", what, beta_1, signed(what.used)), _mean("v", what, beta_2, f"{signed(what.used)}²")]
    rate = lr * float(np.sqrt(1 - beta_2**t)) / (1 - beta_1**t)
    corrected = f"{number(lr)} · sqrt(1 - {number(beta_2)}^{t}) / (1 - {number(beta_1)}^{t})"
    lines.append(Line("corrected rate", corrected, rate))
    if "v_max" in what.updated_moments:
        largest = what.updated_moments["v_max"]
        lines.append(Line("v_max", f"max({number(what.moments['v_max'])}, {number(v)})", largest))
        v = largest
    step = f"- {number(rate)} · {signed(m)} / (sqrt({number(v)}) + {number(options['epsilon'])})"
    return [*lines, _weight(what, step)]


def _adamax(what: UpdateDissection, options: Mapping[str, Any]) -> list[Line]:
    beta_1, beta_2, t = options["beta1"], options["beta2"], what.step
    m, u, rate = what.updated_moments["m"], what.updated_moments["u"], what.learning_rate / (1 - beta_1**t)
    step = f"- {number(rate)} · {signed(m)} / ({number(u)} + {number(options['epsilon'])})"
    return [
        _mean("m", what, beta_1, signed(what.used)),
        Line("u", f"max({number(beta_2)} · {number(what.moments['u'])}, {number(abs(what.used))})", u),
        Line("corrected rate", f"{number(what.learning_rate)} / (1 - {number(beta_1)}^{t})", rate),
        _weight(what, step),
    ]


def _nadam(what: UpdateDissection, options: Mapping[str, Any]) -> list[Line]:
    beta_1, beta_2, t = options["beta1"], options["beta2"], what.step
    m, v = what.updated_moments["m"], what.updated_moments["v"] / (1 - beta_2**t)
    now, after = (beta_1 * (1 - 0.5 * 0.96**at) for at in (t, t + 1))
    product = float(np.prod([beta_1 * (1 - 0.5 * 0.96**at) for at in range(1, min(t, MOST_FACTORS) + 1)]))
    ahead = after * m / (1 - product * after) + (1 - now) * what.used / (1 - product)
    of_m = f"{number(after)} · {signed(m)} / (1 - {number(product)} · {number(after)})"
    of_g = f"(1 - {number(now)}) · {signed(what.used)} / (1 - {number(product)})"
    return [
        _mean("m", what, beta_1, signed(what.used)),
        _mean("v", what, beta_2, f"{signed(what.used)}²"),
        Line("step", f"{of_m} + {of_g}", ahead),
        _weight(
            what,
            f"- {number(what.learning_rate)} · {signed(ahead)} / (sqrt({number(v)}) + {number(options['epsilon'])})",
        ),
    ]


def _lion(what: UpdateDissection, options: Mapping[str, Any]) -> list[Line]:
    before, rate = what.moments["m"], options["beta1"]
    step = rate * before + (1 - rate) * what.used
    return [
        Line("step", f"{number(rate)} · {signed(before)} + {number(1 - rate)} · {signed(what.used)}", step),
        _mean("m", what, options["beta2"], signed(what.used)),
        _weight(what, f"- {number(what.learning_rate)} · {signed(float(np.sign(step)))}"),
    ]


def _ftrl(what: UpdateDissection, options: Mapping[str, Any]) -> list[Line]:
    before, square, lr, w = what.moments["square"], what.updated_moments["square"], what.learning_rate, _start(what)
    z, l1, shrinkage = what.updated_moments["linear"], options["l1"], options["l2_shrinkage"]
    shrunk = f" + 2 · {number(shrinkage)} · {signed(w)}" if shrinkage else ""
    pull = f"(sqrt({number(square)}) - sqrt({number(before)})) / {number(lr)} · {signed(w)}"
    beyond = float(np.clip(z, -l1, l1)) - z
    curvature = f"(sqrt({number(square)}) + {number(options['beta'])}) / {number(lr)} + 2 · {number(options['l2'])}"
    return [
        Line("square", f"{number(before)} + {signed(what.used)}²", square),
        Line("linear", f"{signed(what.moments['linear'])} + {signed(what.used)}{shrunk} - {pull}", z),
        Line("weight", f"{signed(beyond)} / ({curvature})", what.updated),
    ]


MOST_FACTORS = 10_000
"""Of a product of numbers below 1: with more it is 0."""

_LINES: dict[str, Callable[[UpdateDissection, Mapping[str, Any]], list[Line]]] = {
    "sgd": _sgd,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "adadelta": _adadelta,
    "adam": _adam,
    "adamax": _adamax,
    "nadam": _nadam,
    "lion": _lion,
    "ftrl": _ftrl,
}
"""The lines of an update, by the optimizer's rule."""
