"""One pass through a network, layer by layer, with everything kept that there is to look at.

Training and prediction run as lowered programs, which write no more than they need. Whatever wants to look inside asks
for a trace instead: the layers themselves run one after the other, on the same kernels, and nothing of the model
changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pellucid._arguments import flag
from pellucid._display import Brief
from pellucid._fixed import is_own
from pellucid.errors import ConfigError, ShapeError, shown, unknown_name
from pellucid.layers import Layer
from pellucid.layers.graph import Graph
from pellucid.layers.layer import Cache
from pellucid.model import Model
from pellucid.model.pictures import build_for
from pellucid.ops.geometry import Array, whole
from pellucid.plan.lowering import strip_head


@dataclass(frozen=True, repr=False)
class Scored(Brief):
    """What a loss compares: the gradient of the scores is (given - wanted) / counts.

    Shapes: given, what the loss's softmax or sigmoid makes of the scores, and wanted (N, ...) as the scores; counts
        (N,), by how many a picture's part of the mean is divided.
    """

    given: Array
    wanted: Array
    counts: Array


@dataclass(frozen=True, repr=False)
class LayerTrace(Brief):
    """What went through one layer.

    Shapes: input, d_input (N, ...) as the layer takes it, lists of such for one that merges; output, d_output
        (N, ...) as it gives it; weights and d_weights by the layer's own names, each with the shape of the parameter.
    Units: gradients are of the sum over the batch that `Trace.what` names, so of the mean loss, or of the scores.
    """

    layer: Layer
    input: Array
    output: Array
    d_output: Array | None = None
    """None where none was asked for. Of a final softmax or sigmoid that the loss contains: that of the numbers before
    it, which is what a loss gives."""
    d_input: Array | None = None
    d_weights: dict[str, Array] = field(default_factory=dict)
    cache: Cache = field(default=None, repr=False)
    """What the layer's backward needs; the layer's own business."""
    training: bool = False
    """Whether it ran as in a training step."""
    joint: bool = False
    """Whether `d_output` is of the numbers before its softmax or sigmoid, which the loss contains."""
    scored: Scored | None = None
    """Of the layer that gives the scores, where the loss compares probabilities; and of a softmax layer behind it."""

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    @property
    def weights(self) -> dict[str, Array]:
        """The layer's parameters as they are now."""
        return dict(self.layer.params)


@dataclass(frozen=True, repr=False)
class Trace(Brief, Sequence[LayerTrace]):
    """A batch on its way through a network: by position, or by a layer's name.

        seen = trace(model, images, labels)
        seen["conv1"].output, seen["conv1"].d_weights["kernel"], seen.outputs

    what: what the gradients are of: "" where none were asked for, "loss", or "scores".
    """

    model: Model
    inputs: Array
    steps: tuple[LayerTrace, ...]
    what: str = ""
    losses: Array | None = None
    """Of each picture, where labels were given. Shapes: (N,)."""

    @property
    def outputs(self) -> Array:
        """What the network says, where it has one output. Shapes: (N, ...)."""
        return self.steps[self.model.graph.output].output

    @property
    def names(self) -> tuple[str, ...]:
        """The layers' names, in order."""
        return tuple(step.name for step in self.steps)

    @property
    def scores(self) -> Array:
        """What goes into a final softmax or sigmoid; without one, `outputs`. Shapes: (N, ...)."""
        return self._after(self._up_to_scores())

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[LayerTrace]:
        return iter(self.steps)

    def __getitem__(self, key: Any) -> Any:
        """A layer's step by its name or place. Errors: ConfigError for a name that no layer has."""
        if not isinstance(key, str):
            return self.steps[key]
        for step in self.steps:
            if step.name == key:
                return step
        raise unknown_name(f"layer of {self.model.name}", key, list(self.names))

    def back(
        self,
        gradient: Any,
        layer: str | None = None,
        *,
        to: str | None = None,
        weights: bool = True,
        what: str = "scores",
    ) -> Trace:
        """The same pass with gradients: from `gradient`, of what `layer` gives, to every layer before it.

        layer: None for the scores, see `scores`. Layers behind it have no gradients.
        to: go back no further than to what this layer gives; None for the picture.
        weights: False leaves out the gradients of the weights, which take about half of the time.
        Shapes: gradient as the layer's output.
        Errors: ShapeError for another shape; ConfigError for an unknown layer.
        """
        body = self._up_to_scores() if layer is None else self.model.graph.up_to(self[layer].layer)
        return self._back(gradient, body, what, to=to, weights=weights)

    def back_from_class(
        self, classes: int | Sequence[int] | Array, *, to: str | None = None, weights: bool = True
    ) -> Trace:
        """The same pass with the gradients of each picture's score of a class, before the softmax.

        A single score tells two classes apart: it is that of class 1, and its negative that of class 0.
        to, weights: as `back`.
        Shapes: classes one number, or (N,), one a picture.
        Errors: ConfigError for a class that the network does not have, or a network without one score a class.
        """
        scores = self.scores
        if scores.ndim != 2:
            raise ConfigError(f"{self.model.name} gives {scores.shape[1:]} a picture, no row of scores, so no classes")
        picks = np.broadcast_to(np.asarray(classes), (len(scores),))
        count = max(scores.shape[1], 2)
        wrong = picks[(picks < 0) | (picks >= count)] if picks.dtype.kind in "iu" else picks
        if wrong.size:
            raise ConfigError(f"{self.model.name} has classes 0 to {count - 1}, got {wrong[0]}")
        if scores.shape[1] == 1:
            return self.back(np.where(picks == 1, 1, -1)[:, None], to=to, weights=weights)
        return self.back(np.eye(count)[picks], to=to, weights=weights)

    def _up_to_scores(self) -> Graph:
        graph = self.model.graph
        bodies = (strip_head(graph, joint) for joint in ("softmax", "sigmoid"))
        return next((body for body in bodies if body is not graph), graph)

    def _after(self, body: Graph) -> Array:
        """What a part of the network gives; a dense layer without its softmax did not run yet."""
        if body.last is None:
            return self.inputs
        step = self[body.last.name]
        return step.output if body.last is step.layer else np.asarray(body.last.forward(step.input)[0])

    def _back(self, gradient: Any, body: Graph, what: str, *, to: str | None = None, weights: bool = True) -> Trace:
        d, expected = np.ascontiguousarray(gradient, np.float32), self._after(body).shape
        if d.shape != expected:
            raise ShapeError(f"{self.model.name}: a gradient to go back from must be {expected}, got {d.shape}")
        steps = [replace(step, d_output=None, d_input=None, d_weights={}) for step in self.steps]
        if what == "loss":  # of a final softmax that the loss contains
            behind = steps[len(body.nodes) :]
            steps[len(body.nodes) :] = [replace(step, d_output=d, d_input=d, joint=True) for step in behind]
        places = {name: place for place, name in enumerate(self.names)}
        last = -1 if to is None else places[self[to].name]

        def each(number: int, layer: Layer, dy: Array) -> Any:
            place = places[layer.name]
            step = steps[place]
            if place <= last:
                steps[place] = replace(step, d_output=dy if place == last else None)
                return None
            cache = step.cache if layer is step.layer else layer.forward(step.input)[1]
            if weights:
                dx, d_weights = layer.backward(dy, cache, need_dx=True)
            else:
                dx, d_weights = layer.backward_input(dy, cache), {}
            named = {name.removeprefix("d"): value for name, value in d_weights.items()}
            steps[place] = replace(step, d_output=dy, d_input=dx, d_weights=named, joint=layer is not step.layer)
            return dx

        body.back(d, each)
        return replace(self, steps=tuple(steps), what=what)


def trace(model: Model, images: Any, labels: Any = None, *, training: bool = False, seed: int = 0) -> Trace:
    """Run pictures through a model layer by layer and keep what went in and out of each.

    labels: with them also the gradients of the mean loss (the compiled one, else cross-entropy), in every layer,
    frozen ones too. Weight penalties are no part of it.
    training: as a training step sees it, with dropout (drawn from `seed`) and a batch's own mean and variance; the
    running means of the model stay as they are.
    Shapes: images (N, H, W, C), or (N, H, W), uint8 (scaled as the model was trained) or float; labels as `fit`.
    Errors: ShapeError and DataError as `predict` and `fit`; ConfigError for a model without layers.
    """
    from pellucid import losses

    if not isinstance(model, Model):
        raise ConfigError(f"trace: model must be a Sequential, got {shown(model)}")
    if not model.flat_layers:
        raise ConfigError(f"{model.name} has no layers to trace")
    training, seed = flag(training, "trace: training"), whole(seed, "trace: seed", 2**32 - 1, least=0)
    images = build_for(model, images)
    inputs = model.scaled(images[:])
    steps: list[LayerTrace] = []

    def each(number: int, layer: Layer, read: Any) -> Array:
        y, cache = layer.forward(read, training=training, key=(seed, 0, number))
        steps.append(LayerTrace(layer, read, np.asarray(y), cache=cache, training=training))
        return steps[-1].output

    model.graph.run(inputs, each)
    seen = Trace(model, inputs, tuple(steps))
    if labels is None:
        return seen
    loss = model.loss if model.compiled_config() else losses.get("categorical_crossentropy")
    body = strip_head(model.graph, loss.joint_activation)
    read = np.ascontiguousarray(seen._after(body))
    targets = loss.prepare_targets(labels, read.shape[1:], examples=len(read))
    values, gradient = loss.value_and_gradient(targets, read)
    seen = seen._back(gradient, body, "loss")
    compared = None if is_own(loss) else loss.compared(targets, read)  # one of a user's own may override anything
    if compared is not None:
        last = body.output if body.nodes else 0
        steps = [replace(step, scored=Scored(*compared)) if i >= last else step for i, step in enumerate(seen.steps)]
        seen = replace(seen, steps=tuple(steps))
    return replace(seen, losses=values)
