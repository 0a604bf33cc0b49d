"""A network that is edited: weighed layer by layer before anything of it is built, then put in place of the old one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pellucid.errors import ConfigError, PellucidError, shown
from pellucid.files.schema import OBJECT, Maybe, Misfit, check, whole
from pellucid.lab.wording import told
from pellucid.layers import Input, Layer, from_config
from pellucid.layers.graph import INPUT, Graph, Node
from pellucid.layers.parameters import FlatParameters
from pellucid.layers.stack import Stack
from pellucid.layers.store import each_once
from pellucid.layers.symbolic import Symbolic
from pellucid.model import Model
from pellucid.model.blank import FAULTS, Blank, drawing
from pellucid.model.file import expect_graph
from pellucid.model.summary import LayerSummary, by, memory_of, short, size, summarize
from pellucid.ops import Shape
from pellucid.ops.macs import activation_bytes

MAX_LAYERS = 500
MAX_BYTES = 2 * 2**30
"""What training may take; more only where the network took more before."""

MAX_MACS = 20 * 10**9
"""Multiply-accumulates for one picture, likewise."""

WEIGHT_BYTES = 16
"""Of a weight with its gradient and two moments."""

GIVEN = {"layers": [OBJECT], "reads?": Maybe([[whole(INPUT)]])}
"""An edited network: the layers' configs, and of each the numbers of those it reads, as a model's file has it; without
`reads` each reads the one before."""


@dataclass(frozen=True)
class Draft:
    """An edited network as far as it fits. kept: the layers whose weights stay. problem: at which layer, and why.

    graph: of layers with zeros for weights; it ends before the problem, unless that is with all of it.
    """

    graph: Graph
    rows: tuple[LayerSummary, ...]
    kept: tuple[str, ...] = ()
    memory_bytes: int = 0
    problem: tuple[int, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data for the page."""
        return {
            "rows": [{**asdict(row), "kept": row.name in self.kept} for row in self.rows],
            "parameters": sum(row.parameters for row in self.rows),
            "macs": sum(row.macs for row in self.rows),
            "memory": self.memory_bytes,
            "problem": None if self.problem is None else {"layer": self.problem[0], **told("text", self.problem[1])},
        }


def architecture(model: Model) -> dict[str, Any]:
    """A network as it can be edited: {layers, reads}; reads is None where only a row of layers is possible."""
    return {"layers": [_arguments(layer) for layer in model.flat_layers], "reads": model.reads}


def drafted(model: Model, given: Any, *, batch_size: int) -> Draft:
    """What an edited network would be; no weights are drawn, and nothing large is built.

    Errors: ConfigError for what is no network at all. What does not fit is the draft's `problem`.
    """
    configs, reads = _read(model, given)
    limits, stack = _Limits.of(model, batch_size), Stack(model.name, model.seed)
    stack.attach(inputs := Input(model.graph.input_shape), ())
    values: dict[int, Symbolic] = {INPUT: inputs}
    taken = {str(config["name"]) for config in configs if config.get("name")}
    problem = None
    for number, (config, read) in enumerate(zip(configs, reads, strict=True)):
        try:
            layer = from_config(config, _custom(model))
            if layer.auto_named:
                layer.take_name(taken, model.name)
                layer.name = layer.name  # from now on its own
                taken.add(layer.name)
            layer.position, layer.fed_by = number, tuple(stack.flat_layers[i].name for i in read if i != INPUT)
            values[number] = layer([values[i] for i in read])
            limits.expect_room(layer, values[number].shape)
            with drawing([layer], limits.blank):
                stack.attach(layer, read, [values[i].shape for i in read])
            limits.expect_time(layer, values[read[0]].shape)
        except FAULTS as error:
            problem = number, str(error) or type(error).__name__
            break
    rows = summarize(model.name, stack.graph).rows if stack.flat_layers else ()
    if problem is not None or not rows:
        graph = stack.graph if rows else Graph(model.graph.input_shape, (), ())
        return Draft(graph, rows, problem=problem or (0, "a network needs a layer"))
    memory = memory_of(
        stack.graph,
        FlatParameters(stack.flat_layers),
        batch_size=batch_size,
        optimizer=model.optimizer,
        loss=model.loss,
    )
    total = (memory.training or memory.inference).total
    try:
        limits.expect_bytes(stack.flat_layers[-1], total)
        _expect_answers(model, stack.graph)
    except PellucidError as error:
        problem = len(rows) - 1, str(error)
    before = {layer.name: layer for layer in model.flat_layers}
    kept = tuple(layer.name for layer in stack.flat_layers if layer.weights and _fits(before.get(layer.name), layer))
    return Draft(stack.graph, rows, kept, total, problem)


def exchange(model: Model, given: Any, *, batch_size: int) -> Draft:
    """Put an edited network in place of a model's layers: the same model, which keeps what it knows of its pictures.

    A layer of the same name, arguments and input stays, moments and all; of others the weights stay where their shapes
    are as before; what is left begins anew.
    Errors: ConfigError where it does not fit; the model is then as before.
    """
    draft = drafted(model, given, batch_size=batch_size)
    if draft.problem is not None:
        raise ConfigError(draft.problem[1])
    before, names = model.graph, model.class_names
    known = {visit.layer.name: visit for visit in before.walk()}
    nodes, weights = [], {}
    for visit in draft.graph.walk():
        old = known.get(visit.layer.name)
        stays = old is not None and old.input_shapes == visit.input_shapes
        if old is not None and stays and _arguments(old.layer) == _arguments(visit.layer):
            nodes.append(Node(old.layer, visit.inputs))
            continue
        nodes.append(Node(from_config(visit.layer.config(), _custom(model)), visit.inputs))
        if old is not None and visit.layer.name in draft.kept:
            weights[visit.number] = old.layer.get_weights()
    with model.turns.taken():
        try:
            _lay(model, nodes)
            for number, kept in weights.items():
                model.flat_layers[number].set_weights(kept)
        except BaseException:
            _lay(model, before.nodes)
            raise
        finally:
            model.class_names = names
    return draft


class _Limits:
    """What an edited network may take, counted as its layers come. Errors: ConfigError naming the layer that is too
    much."""

    def __init__(self, most_bytes: int, most_macs: int, batch_size: int) -> None:
        self.most_bytes, self.most_macs, self.batch_size = most_bytes, most_macs, batch_size
        self.activations = self.macs = 0
        self.blank = Blank(most_bytes // WEIGHT_BYTES, self._too_many)

    @classmethod
    def of(cls, model: Model, batch_size: int) -> _Limits:
        """What is usual, or what the model takes now."""
        memory = model.memory(batch_size)
        taken = (memory.training or memory.inference).total
        return cls(max(MAX_BYTES, taken), max(MAX_MACS, model.outline().macs), batch_size)

    def expect_room(self, layer: Layer, shape: Shape) -> None:
        """Count what a layer gives for a batch, before it is built."""
        self.activations += activation_bytes(shape) * self.batch_size
        self.expect_bytes(layer, self.activations)

    def expect_time(self, layer: Layer, input_shape: Shape) -> None:
        """Count what a layer computes."""
        self.macs += layer.macs(input_shape)
        if self.macs > self.most_macs:
            raise ConfigError(
                f"{layer.place()}: up to here a picture takes {short(self.macs)} multiply-accumulates, at most "
                f"{short(self.most_macs)} are trained here; use fewer filters, larger strides, or pooling"
            )

    def expect_bytes(self, layer: Layer, total: int) -> None:
        """Of training, all in all."""
        if total > self.most_bytes:
            raise self._too_large(f"{layer.place()}: up to here training", total)

    def _too_many(self, shape: Shape) -> ConfigError:
        return self._too_large(f"weights {by(shape)} and those before them", WEIGHT_BYTES * math.prod(shape))

    def _too_large(self, what: str, total: int) -> ConfigError:
        return ConfigError(
            f"{what} would take {size(total)}, at most {size(self.most_bytes)} are taken here; use fewer filters or "
            "units, larger strides, pooling, or a smaller batch"
        )


def _read(model: Model, given: Any) -> tuple[list[dict[str, Any]], list[tuple[int, ...]]]:
    """Configs and reads of what the page sent. Errors: ConfigError."""
    try:
        check(GIVEN, given, "network")
    except Misfit as error:
        raise ConfigError(str(error)) from None
    configs, reads = given["layers"], given.get("reads")
    if len(each_once(model.flat_layers)) < len(model.flat_layers):
        raise ConfigError(f"{model.name} calls a layer twice; edit that in its program")
    if len(configs) > MAX_LAYERS:
        raise ConfigError(f"a network can be edited up to {MAX_LAYERS} layers, got {len(configs)}")
    if reads is None:
        return configs, [(number - 1,) for number in range(len(configs))]
    if model.reads is None and reads != [[number - 1] for number in range(len(configs))]:
        raise ConfigError(f"{model.name} is a Sequential, whose layers each read the one before, got {shown(reads)}")
    expect_graph(reads, [len(configs) - 1], len(configs))
    return configs, [tuple(read) for read in reads]


def _expect_answers(model: Model, graph: Graph) -> None:
    last = graph.nodes[-1].layer
    if graph.output_shape != model.graph.output_shape:
        raise ConfigError(
            f"{last.place()} gives {by(graph.output_shape)}, and what is learned here needs "
            f"{by(model.graph.output_shape)}, one number a class; change its units or filters"
        )
    if not any(node.layer.trainable and node.layer.params for node in graph.nodes):
        raise ConfigError(f"{last.place()}: no layer has weights that are trained, so nothing can be learned")


def _custom(model: Model) -> dict[str, type[Layer]]:
    """The classes of somebody's own that its layers have."""
    return {type(layer).__name__: type(layer) for layer in model.flat_layers if layer.custom}


def _arguments(layer: Layer) -> dict[str, Any]:
    """Its config without the input's shape, which the network knows."""
    return {name: value for name, value in layer.config().items() if name != "input_shape"}


def _fits(old: Layer | None, new: Layer) -> bool:
    """Whether a layer has weights of the same shapes as one of its name had."""
    return old is not None and [a.shape for a in old.weights] == [a.shape for a in new.weights]


def _lay(model: Model, nodes: Sequence[Node]) -> None:
    """Make these the layers of a model, which takes the pictures it took."""
    shape = model.graph.input_shape
    while model.flat_layers:
        model.detach()
    for node in nodes:
        model.attach(node.layer, node.inputs)
    model.build(shape)
