"""Recurrent layers with gates, numbers from 0 to 1 that say what of a state is kept. Letters: as in `recurrent`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid._arguments import flag, within
from pellucid._fixed import Taken
from pellucid.initializers import InitializerLike
from pellucid.layers.activation import standardize_activation
from pellucid.layers.recurrent import BehindNamed, Recurrent, RecurrentNamed
from pellucid.ops import Array


class Gated(Recurrent):
    """Recurrent layers whose gates, numbers from 0 to 1, say what of a state is kept."""

    def __init__(
        self,
        units: int,
        activation: str | None = "tanh",
        recurrent_activation: str | None = "sigmoid",
        *recurrent: Any,
        **named: Unpack[RecurrentNamed],
    ) -> None:
        super().__init__(units, activation, *recurrent, **named)
        where = f"{type(self).__name__}: recurrent_activation"
        self.recurrent_activation = within(where, standardize_activation, recurrent_activation)


class LSTM(Gated):
    """Long short-term memory: c = f * c + i * g, h = o * act(c), gates i, f, o and g of x and h of before.

    Shapes: as `Recurrent`; kernel (C,4U), recurrent_kernel (U,4U), bias (4U,): i, f, g, o behind one another; states
        h and c.
    unit_forget_bias: the bias of f begins at 1.
    Source: Hochreiter & Schmidhuber 1997; Gers et al. 2000 (f).
    """

    gates = 4
    num_states = 2

    taken: ClassVar[Mapping[str, Taken]] = {
        **Gated.taken,
        "forget_bias_init": lambda value: {"unit_forget_bias": str(value) in ("one", "ones")},
    }

    def __init__(
        self,
        units: int,
        activation: str | None = "tanh",
        recurrent_activation: str | None = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        unit_forget_bias: bool = True,
        *recurrent: Any,
        **named: Unpack[BehindNamed],
    ) -> None:
        first = (use_bias, kernel_initializer, recurrent_initializer, bias_initializer)
        super().__init__(units, activation, recurrent_activation, *first, *recurrent, **named)
        self.unit_forget_bias = flag(unit_forget_bias, "LSTM: unit_forget_bias")

    def _draw_bias(self, wide: int, rng: np.random.Generator) -> Array:
        bias = super()._draw_bias(wide, rng)
        if self.unit_forget_bias:
            bias[self.units : 2 * self.units] = 1
        return bias

    def _step(self, z: Array, states: Sequence[Array]) -> tuple[list[Array], Any]:
        h, c = states
        z, u = z + h @ self.params["recurrent_kernel"], self.units
        (i, of_i), (f, of_f) = (self._act(z[:, k * u : (k + 1) * u], self.recurrent_activation) for k in (0, 1))
        g, of_g = self._act(z[:, 2 * u : 3 * u], self.activation)
        o, of_o = self._act(z[:, 3 * u :], self.recurrent_activation)
        new = f * c + i * g
        a, of_a = self._act(new, self.activation)
        return [o * a, new], (h, c, i, f, g, o, a, of_i, of_f, of_g, of_o, of_a)

    def _step_backward(self, d: Sequence[Array], kept: Any, grads: dict[str, Array]) -> tuple[Array, list[Array]]:
        h, c, i, f, g, o, a, of_i, of_f, of_g, of_o, of_a = kept
        dc = d[1] + self._act_backward(d[0] * o, of_a)
        back = ((dc * g, of_i), (dc * c, of_f), (dc * i, of_g), (d[0] * a, of_o))
        dz = np.concatenate([self._act_backward(*one) for one in back], axis=1)
        grads["drecurrent_kernel"] += h.T @ dz
        return dz, [dz @ self.params["recurrent_kernel"].T, dc * f]


class GRU(Gated):
    """Gated recurrent unit: h = z * h + (1 - z) * act(x @ W + r * (h @ R)), gates z and r of x and h of before.

    Shapes: as `Recurrent`; kernel (C,3U), recurrent_kernel (U,3U), bias (2,3U): z, r and the candidate behind one
        another, the bias of x above that of h; (3U,) with reset_after=False.
    reset_after: whether r multiplies h @ R, or h.
    Source: Cho et al. 2014; reset_after as cuDNN has it.
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: str | None = "tanh",
        recurrent_activation: str | None = "sigmoid",
        *recurrent: Any,
        reset_after: bool = True,
        **named: Unpack[RecurrentNamed],
    ) -> None:
        super().__init__(units, activation, recurrent_activation, *recurrent, **named)
        self.reset_after = flag(reset_after, "GRU: reset_after")

    def _draw_bias(self, wide: int, rng: np.random.Generator) -> Array:
        return self.draw("bias_initializer", (2, wide) if self.reset_after else (wide,), rng)

    def _input_bias(self) -> Array | None:
        return self.params["bias"][0] if self.use_bias and self.reset_after else self.params.get("bias")

    def _step(self, z: Array, states: Sequence[Array]) -> tuple[list[Array], Any]:
        (h,), u, kernel = states, self.units, self.params["recurrent_kernel"]
        own = h @ (kernel if self.reset_after else kernel[:, : 2 * u])
        if self.reset_after and self.use_bias:
            own = own + self.params["bias"][1]
        keep, of_keep = self._act(z[:, :u] + own[:, :u], self.recurrent_activation)
        r, of_r = self._act(z[:, u : 2 * u] + own[:, u : 2 * u], self.recurrent_activation)
        inner = r * own[:, 2 * u :] if self.reset_after else (r * h) @ kernel[:, 2 * u :]
        new, of_new = self._act(z[:, 2 * u :] + inner, self.activation)
        return [keep * h + (1 - keep) * new], (h, own, keep, r, new, of_keep, of_r, of_new)

    def _step_backward(self, d: Sequence[Array], kept: Any, grads: dict[str, Array]) -> tuple[Array, list[Array]]:
        (dh,), u, kernel = d, self.units, self.params["recurrent_kernel"]
        h, own, keep, r, new, of_keep, of_r, of_new = kept
        dnew = self._act_backward(dh * (1 - keep), of_new)
        dkeep = self._act_backward(dh * (h - new), of_keep)
        before = dh * keep
        if self.reset_after:
            dr = self._act_backward(dnew * own[:, 2 * u :], of_r)
            down = np.concatenate([dkeep, dr, dnew * r], axis=1)
            grads["drecurrent_kernel"] += h.T @ down
            if self.use_bias:
                total = grads.setdefault("dbias", np.zeros((2, 3 * u), dh.dtype))
                total[1] += down.sum(axis=0)
            return np.concatenate([dkeep, dr, dnew], axis=1), [before + down @ kernel.T]
        dinner = dnew @ kernel[:, 2 * u :].T
        dr = self._act_backward(dinner * h, of_r)
        grads["drecurrent_kernel"][:, 2 * u :] += (r * h).T @ dnew
        down = np.concatenate([dkeep, dr], axis=1)
        grads["drecurrent_kernel"][:, : 2 * u] += h.T @ down
        return np.concatenate([down, dnew], axis=1), [before + dinner * r + down @ kernel[:, : 2 * u].T]
