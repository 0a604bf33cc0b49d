"""What a layer says of itself, for whoever draws, judges, converts or plans it: so nobody else asks for its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pellucid import ops
from pellucid.ops.geometry import NO_PADS, Array, Pads, Pair, Shape, resolve_padding
from pellucid.ops.table import Numbers

if TYPE_CHECKING:
    from pellucid.layers.layer import Key


@dataclass(frozen=True)
class Nonlinearity:
    """y = amplitude * f(steepness * z) for each number z; softmax compares those of the last axis.

    kind: which f, by its name in `ACTIVATIONS`. slope, threshold, ceiling: what f takes beside the number, see
    `ops.activation`; None for what it has where nothing is said.
    """

    kind: str
    slope: float | None = None
    threshold: float | None = None
    ceiling: float | None = None
    amplitude: float = 1.0
    steepness: float = 1.0

    @property
    def numbers(self) -> Numbers:
        """What `ops.activation` is given beside the kind."""
        own = {"slope": self.slope, "threshold": self.threshold, "ceiling": self.ceiling}
        given = {name: float(value) for name, value in own.items() if value is not None}
        return cast(Numbers, {**ops.ACTIVATIONS.get(self.kind, {}), **given})

    @property
    def reads_input(self) -> bool:
        """Whether its gradient is made of z, not of y."""
        return self.kind in ops.READ_INPUT

    @property
    def mixes(self) -> bool:
        """Whether it compares the numbers of an axis, as softmax does, and does not take each by itself."""
        return self.kind not in ops.ACTIVATIONS

    @property
    def may_die(self) -> bool:
        """Whether all numbers below some become 0, so that a unit may give 0 for every picture and learn no more."""
        return self.kind == "relu" or (self.kind == "relu6" and not self.slope)

    @property
    def word(self) -> str:
        """Its name as one writes it for readers: "ReLU" for relu."""
        return {
            "relu": "ReLU",
            "leaky_relu": "leaky ReLU",
            "elu": "ELU",
            "relu6": "ReLU6",
            "selu": "SELU",
            "silu": "SiLU",
            "gelu": "GELU",
            "celu": "CELU",
            "mish": "Mish",
        }.get(self.kind, self.kind)


class Traits:
    """What follows has an answer for every layer; a class says otherwise where it knows better.

    A layer of one's own has sensible answers without a line: it is drawn as a box with its class's name, passes no
    place for another's, and is not taken for what it may not be.
    """

    role: ClassVar[str] = "other"
    """What it does, in a word: "convolution", "transposed convolution", "pooling", "dense", "distance", "activation",
    "batch norm", "layer norm", "group norm", "response norm", "dropout", "noise", "augmentation", "flatten",
    "rearrangement", "padding", "cropping", "upsampling", "rescaling", "input", "merge", "embedding", "mask",
    "recurrent", "attention", or "other"."""

    linear: ClassVar[bool] = False
    """Whether what it gives, less bias and nonlinearity, is linear in each value it reads and each of its weights."""

    takes_one: ClassVar[bool] = False
    """Whether it may be called on one picture (H, W, C), too."""

    @property
    def nonlinearity(self) -> Nonlinearity | None:
        """What acts on its result last, or all that it is; None for nothing. By default what `activation` names."""
        activation = getattr(self, "activation", None)
        return Nonlinearity(activation) if isinstance(activation, str) and activation != "linear" else None

    reads_mask: ClassVar[bool] = False
    """Whether it reads, behind all else, which steps of a series count, see `layers.masking`."""

    gives_several: bool = False
    """Whether what it gives is a row of several values, of which slices take each."""

    averages_steps: ClassVar[bool] = False
    """Whether it gives the mean of a series' steps, of which only those that count are to count."""

    masked_read: ClassVar[int] = 0
    """Of what it reads, whose steps these are, by number."""

    def step_mask(self) -> Any:
        """The layer that says, of what this one reads, which steps count; None for a layer that says nothing of it."""
        return None

    table_rows: int = 0
    """Of how many rows of a table it reads the numbers; 0 for a layer that reads values."""

    @property
    def caption(self) -> tuple[str, ...]:
        """What a drawing calls it, then what it notes below, without the nonlinearity: ("conv 3x3", "2 groups")."""
        return (type(self).__name__,)

    @property
    def drop_rate(self) -> float:
        """The share of the numbers that it makes 0 while training, drawn anew in each step."""
        return 0.0

    @property
    def custom(self) -> bool:
        """Whether it is a layer of somebody's own, which may compute anything, whatever it inherits."""
        return not type(self).__module__.startswith("pellucid.")

    @property
    def steady(self) -> bool:
        """Whether it gives in training what it gives in use, as long as it is not trained."""
        return not self.custom and self.drop_rate == 0

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        """What `forward` gives of recorded arrays, as a calculation whose gradients have gradients, see calculation.py;
        None where that is not known. weights: its parameters, by name; recorded ones are trained."""
        from pellucid.layers import calculation

        return calculation.linear(self, x, weights, training, key) if self.linear else None  # type: ignore[arg-type]

    def window(self) -> tuple[Pair, Pair, Pair] | None:
        """(kernel, strides, dilation) of the window each output looks through; None where it sees one place."""
        return None

    def pads(self, input_shape: Shape) -> Pads:
        """The border laid around pictures (H, W, ...) before its window slides, below 0 where one is cut off.

        Units: pixels.
        """
        window = self.window()
        if window is None:
            return NO_PADS
        return resolve_padding(getattr(self, "padding", "valid"), (input_shape[0], input_shape[1]), *window)

    @property
    def enlarges(self) -> tuple[Pair, int]:
        """How many rows and columns it makes of one, and of how many along each axis a number is made."""
        return (1, 1), 1

    def origin(self, place: Shape, input_shape: Shape) -> Shape | None:
        """Where the number comes from that stands at `place` of its output, in a layer that only moves numbers; None
        for a zero of its own. Shapes: without the batch axis."""
        return place

    def as_filters(self, kernel: Array) -> Array:
        """An array like the parameter `kernel` as operations take it: of convolutions (KH,KW,C/groups,O). A view."""
        return kernel

    def channels_seen(self, channel: int, channels: int) -> tuple[int, ...]:
        """Which of its input's `channels` a channel of its output, or a unit, is computed from."""
        return tuple(range(channels))
