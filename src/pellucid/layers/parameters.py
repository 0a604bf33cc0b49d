"""All parameters of a model in one vector, all gradients in a second; layers hold views of them.

The segment table says where each parameter lies. It drives optimizers, clipping and penalties, each one kernel
over vectors, and it makes a checkpoint one buffer. Frozen parameters have no gradient and no moments: the
gradient vector holds the trainable segments only, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pellucid.errors import CheckpointError, DataError
from pellucid.layers.layer import Layer
from pellucid.layers.store import each_once
from pellucid.ops.geometry import Array, Shape
from pellucid.ops.memory import CACHE_LINE, aligned_zeros, untouched_zeros

ALIGNMENT = CACHE_LINE // 4
"""Every segment starts on a multiple of this many floats, so that kernels load whole cache lines."""

MAX_LISTED = 100
"""Wrong tensors that an error lists by name."""


@dataclass(frozen=True)
class Segment:
    """One parameter's place: `vector[offset : offset + length]`, and its gradient's, None when it is frozen."""

    layer: str
    name: str
    shape: Shape
    offset: int
    length: int
    gradient_offset: int | None

    @property
    def trainable(self) -> bool:
        return self.gradient_offset is not None

    @property
    def key(self) -> str:
        """The name a checkpoint gives it: `layer/parameter`."""
        return f"{self.layer}/{self.name}"


@dataclass(frozen=True)
class Span:
    """A stretch of trainable segments that lie side by side in both vectors: one optimizer kernel's work."""

    offset: int
    gradient_offset: int
    length: int
    decay: bool


class FlatParameters:
    """Lays the parameters of built layers into one vector; `bind` makes the layers' arrays views of it.

    Shapes: vector (P,), gradients (T,) float32, both padded so that each segment begins on a cache line.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = tuple(each_once(layers))
        self._named = {layer.name: layer for layer in self._layers}
        first = {id(layer.store): layer.name for layer in self._layers}
        self._first = {layer.name: first[id(layer.store)] for layer in layers}
        """Of each layer the name of the first that has the same weights."""
        self._trained = [layer.trainable for layer in self._layers]
        self.segments = _lay_out(self._layers)
        self.vector = untouched_zeros(_end((s.offset, s.length) for s in self.segments))
        self.gradients = untouched_zeros(  # a model that only predicts never touches them
            _end((s.gradient_offset, s.length) for s in self.segments if s.gradient_offset is not None)
        )

    def bind(self) -> None:
        """Copy the layers' values in, and rebind their arrays."""
        by_layer: dict[str, dict[str, Array]] = {layer.name: {} for layer in self._layers}
        for segment in self.segments:
            by_layer[segment.layer][segment.name] = self.view(segment)
        for layer in self._layers:
            views = by_layer[layer.name]
            if views:
                layer.bind(views)

    def view(self, segment: Segment) -> Array:
        """The parameter itself, writable, in its own shape."""
        return self.vector[segment.offset : segment.offset + segment.length].reshape(segment.shape)

    def gradient(self, segment: Segment) -> Array:
        """Where the gradient of a trainable parameter goes, in the parameter's shape."""
        return self.slot(self.gradients, segment)

    def slot(self, vector: Array, segment: Segment) -> Array:
        """The part of a gradient-shaped vector (gradients, a moment) that belongs to one trainable segment."""
        start = segment.gradient_offset
        if start is None:
            raise KeyError(f"{segment.key} is frozen: it has no place in the gradient vector")
        return vector[start : start + segment.length].reshape(segment.shape)

    def of(self, layer: Layer) -> dict[str, Segment]:
        """The segments of one layer, by parameter name."""
        first = self._first.get(layer.name, layer.name)
        return {segment.name: segment for segment in self.segments if segment.layer == first}

    def is_first(self, layer: Layer) -> bool:
        """Whether no layer before it has the same weights."""
        return self._first.get(layer.name, layer.name) == layer.name

    def is_current(self) -> bool:
        """False once a layer was frozen or thawed since the vectors were laid out."""
        return self._trained == [layer.trainable for layer in self._layers]

    def spans(self, exclude_from_decay: Iterable[str] = ()) -> list[Span]:
        """The optimizer's work list: neighbouring trainable segments joined while weight decay treats them alike.

        exclude_from_decay: parts of `layer/parameter` names that weight decay leaves alone.
        """
        patterns = tuple(exclude_from_decay)
        spans: list[Span] = []
        for segment in self.segments:
            start = segment.gradient_offset
            if start is None:
                continue
            decay = not any(pattern in segment.key for pattern in patterns)
            length = _padded(segment.length)
            last = spans[-1] if spans else None
            if last and last.decay == decay and last.offset + last.length == segment.offset:
                spans[-1] = Span(last.offset, last.gradient_offset, last.length + length, decay)
            else:
                spans.append(Span(segment.offset, start, length, decay))
        return spans

    def carry_over(
        self, slots: Mapping[str, Array], old: FlatParameters, fresh: Mapping[str, Array]
    ) -> dict[str, Array]:
        """Optimizer moments laid out for `old`, laid out for these segments; new layers have those of `fresh`.

        A layer is known by being the same object, so one that took another's name starts anew.
        """
        before = {(id(old._named[s.layer]), s.name): s for s in old.segments if s.trainable}
        carried = {name: aligned_zeros(self.gradients.size) for name in slots}
        for name, vector in carried.items():
            vector[...] = fresh[name]
            for segment in self.segments:
                origin = before.get((id(self._named[segment.layer]), segment.name))
                if segment.trainable and origin is not None and origin.shape == segment.shape:
                    self.slot(vector, segment)[...] = old.slot(slots[name], origin)
        return carried


def tensors_of(layers: Iterable[Layer]) -> dict[str, Array]:
    """Every parameter and state array under `layer/name`: what a file keeps of them."""
    return {
        f"{layer.name}/{name}": array
        for layer in each_once(layers)
        for name, array in (layer.params | layer.state).items()
    }


def fill(layers: Sequence[Layer], tensors: Mapping[str, Array], where: object) -> None:
    """Write what `tensors_of` gave into the layers. where: the file, for errors.

    Errors: CheckpointError, naming every tensor that is missing, superfluous or of another shape.
    """
    expected = {name: array.shape for name, array in tensors_of(layers).items()}
    given = {name: array.shape for name, array in tensors.items()}
    if expected != given:
        wrong = [
            f"{name:.80}: {given.get(name, 'missing')}, expected {expected.get(name, 'nothing')}"
            for name in sorted(expected.keys() | given.keys())
            if expected.get(name) != given.get(name)
        ]
        more = [f"and {len(wrong) - MAX_LISTED} more"] if len(wrong) > MAX_LISTED else []
        raise CheckpointError(f"{where}: tensors do not fit the layers: {'; '.join(wrong[:MAX_LISTED] + more)}")
    for layer in each_once(layers):
        names = [*layer.params, *layer.state]
        if names:
            try:
                layer.set_weights([tensors[f"{layer.name}/{name}"] for name in names])
            except DataError as error:  # numbers beyond float32's
                raise CheckpointError(f"{where}: {error}") from error


def _lay_out(layers: Sequence[Layer]) -> tuple[Segment, ...]:
    segments = []
    offset = gradient_offset = 0
    for layer in layers:
        for name, array in layer.params.items():
            place = gradient_offset if layer.trainable else None
            segments.append(Segment(layer.name, name, array.shape, offset, array.size, place))
            offset += _padded(array.size)
            if layer.trainable:
                gradient_offset += _padded(array.size)
    return tuple(segments)


def _padded(length: int) -> int:
    return -(-length // ALIGNMENT) * ALIGNMENT


def _end(places: Iterable[tuple[int | None, int]]) -> int:
    return max(((start or 0) + _padded(length) for start, length in places), default=0)
