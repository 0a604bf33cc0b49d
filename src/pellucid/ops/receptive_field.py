"""What a number of a network sees of its input."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid.ops.geometry import MAX_NUMBERS, Pair, window_span


@dataclass(frozen=True)
class ReceptiveField:
    """How many input pixels one value sees (`size`), and how far apart neighbours' views lie (`jump`).

    >>> field = ReceptiveField().step((5, 5)).step((2, 2), (2, 2))
    >>> field.size, field.jump
    ((6, 6), (2, 2))

    Units: pixels of the network's input, borders ignored; what is above MAX_NUMBERS counts as that.
    Source: Dumoulin & Visin 2016; Araujo, Norris & Sim 2019, equation 1.
    """

    size: Pair = (1, 1)
    jump: Pair = (1, 1)

    def enlarged(self, factors: Pair, taps: int = 1) -> ReceptiveField:
        """The field behind pictures made larger, each number of `taps` x `taps`: neighbours lie closer together."""
        seen = self.step((taps, taps))
        jump = -(-self.jump[0] // factors[0]), -(-self.jump[1] // factors[1])
        return ReceptiveField(seen.size, jump)

    def step(self, kernel: Pair, strides: Pair = (1, 1), dilation: Pair = (1, 1)) -> ReceptiveField:
        """The field behind one more window: size + (span - 1) * jump, jump * stride."""
        spans = window_span(kernel, dilation)
        return ReceptiveField(
            _capped(self.size[0] + (spans[0] - 1) * self.jump[0], self.size[1] + (spans[1] - 1) * self.jump[1]),
            _capped(self.jump[0] * strides[0], self.jump[1] * strides[1]),
        )


def _capped(rows: int, columns: int) -> Pair:
    return min(rows, MAX_NUMBERS), min(columns, MAX_NUMBERS)
