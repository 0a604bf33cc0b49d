"""Models within models, as configs and files say it: which layers of a graph were a model that was called, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pellucid.keras.nesting import Call, Calls, within
from pellucid.keras.tensor import InputLayer
from pellucid.layers.graph import INPUT, Node
from pellucid.layers.stack import Stack
from pellucid.layers.store import again
from pellucid.layers.symbolic import call


def description(nodes: Sequence[Node], around: Sequence[Calls], answers: Sequence[int]) -> dict[str, Any] | None:
    """What `Model.nested` is of a network's nodes; None where no model was called in it."""
    every = dict.fromkeys(one for calls in around for one in calls)
    calls = [one for one in every if isinstance(one.owner, Stack)]
    if not calls:
        return None
    owners = list({id(one.owner): one.owner for one in calls}.values())
    names = [node.layer.name for node in nodes]
    found = []
    for one in calls:
        own = [number for number, each in enumerate(around) if one in each]
        reads = dict.fromkeys(i for number in own for i in nodes[number].inputs if i not in own)
        asked = {*answers, *(i for number, node in enumerate(nodes) if number not in own for i in node.inputs)}
        ends = _ends(one.owner, nodes, own, names)
        inputs, outputs = ends if ends and set(ends[0]) == set(reads) else (list(reads), [n for n in own if n in asked])
        number = next(i for i, owner in enumerate(owners) if owner is one.owner)
        found.append({"model": number, "inputs": inputs, "outputs": outputs})
    kinds = [{"name": owner.name, "kind": _kind(owner), "inputs": _input_names(owner)} for owner in owners]
    numbers = {one: number for number, one in enumerate(calls)}
    inside = [[numbers[one] for one in each if one in numbers] for each in around]
    return {"models": kinds, "calls": found, "within": inside, "names": names}


def _kind(owner: Any) -> str:
    return "Functional" if owner.lists_inputs or callable(owner.call) else "Sequential"


def _input_names(owner: Any) -> list[str]:
    return list(owner.input_names) if owner._nodes else []


def _ends(owner: Any, nodes: Sequence[Node], own: Sequence[int], names: list[str]) -> Any:
    """What a call of a model reads and gives, in the model's order; and its layers' names in it."""
    if not owner._nodes:
        return None
    waiting: dict[int, list[int]] = {}
    for place, node in enumerate(owner._nodes):
        waiting.setdefault(id(node.layer.store), []).append(place)
    matched = {}
    for number in own:
        if places := waiting.get(id(nodes[number].layer.store)):
            matched[places.pop(0)] = number
    heads = list(owner.graph.parts) or [INPUT]
    read: dict[int, int] = {}
    for place, number in matched.items():
        names[number] = owner._nodes[place].layer.name
        for inner, outer in zip(owner._nodes[place].inputs, nodes[number].inputs, strict=False):
            if inner in heads:
                read.setdefault(inner, outer)
    given = [matched.get(place, read.get(place)) for place in owner.graph.outputs]
    return [read[head] for head in heads if head in read], [number for number in given if number is not None]


def unowned(nested: Mapping[str, Any] | None) -> list[Call]:
    """Calls of models that are made by `adopt`."""
    each = [] if nested is None else nested["calls"]
    models = {one["model"]: object() for one in each}
    return [Call(models[one["model"]]) for one in each]


def adopt(model: Any, nested: Mapping[str, Any], known: Sequence[Call] = ()) -> None:
    """Make models again of those of a network's layers that were some, and list these.

    known: the calls, in which its layers are said to be already.
    """
    from pellucid.keras.model import Functional, Model
    from pellucid.keras.sequential import Sequential

    nodes, graph = model._nodes, model.graph
    shapes = {INPUT: graph.input_shape, **{visit.number: visit.output_shape for visit in graph.walk()}}
    calls: dict[int, Call] = {}
    owners: dict[int, Any] = {}

    def called(number: int) -> Call:
        if number not in calls:
            said = nested["calls"][number]
            if said["model"] not in owners:
                owners[said["model"]] = made(number, said, nested["models"][said["model"]])
            calls[number] = known[number] if known else Call()
            calls[number].owner = owners[said["model"]]
        return calls[number]

    def made(number: int, said: Mapping[str, Any], kind: Mapping[str, Any]) -> Any:
        names = kind["inputs"] if len(kind["inputs"]) == len(said["inputs"]) else [None] * len(said["inputs"])
        sources = [InputLayer(shapes[i], name=name) for i, name in zip(said["inputs"], names, strict=True)]
        values: dict[int, Any] = dict(zip(said["inputs"], sources, strict=True))

        def value(own: int) -> Any:
            if own not in values:  # a mask is of no call that a file of Keras's tells
                values[own] = call(nodes[own].layer, [value(i) for i in nodes[own].inputs])
            return values[own]

        for own, around in enumerate(nested["within"]):
            if number in around:
                layer = nodes[own].layer
                if layer.name != nested["names"][own]:
                    layer = again(layer)
                    layer._name = nested["names"][own]
                with within(*map(called, around[around.index(number) + 1 :])):
                    values[own] = call(layer, [value(i) for i in nodes[own].inputs])
        outputs = [value(i) for i in said["outputs"]]
        inner = Model.__new__(Sequential if kind["kind"] == "Sequential" else Functional)
        one = len(sources) == 1, len(outputs) == 1
        Model.__init__(inner, sources[0] if one[0] else sources, outputs[0] if one[1] else outputs, kind["name"])
        return inner

    around = model._around
    for number, inside in enumerate(nested["within"]):
        found = tuple(map(called, inside))
        around[number] = around[number] if known else (*found, *around[number])
    for place, layer in enumerate(model.flat_layers):  # which stood in the models within last
        layer.position, layer.fed_by = place, tuple(nodes[i].layer.name for i in nodes[place].inputs if i != INPUT)
    model._order = None
