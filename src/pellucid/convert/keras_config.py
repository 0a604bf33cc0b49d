"""What a config of Keras's looks like: records of layers in models, and which value each layer reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pellucid.convert.keras_layers import BY_KERAS, OPERATIONS
from pellucid.convert.keras_values import REGISTERED, class_path
from pellucid.errors import ConfigError, shown
from pellucid.model.file import MAX_LAYERS

MODELS = ("Sequential", "Functional", "Model")
MAX_DEPTH = 16
"""Models within models."""


def model_of(config: Any) -> Mapping[str, Any]:
    """The outermost record. Errors: ConfigError for anything but a Sequential or functional model."""
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise ConfigError("it describes no model of Keras")
    if config["class_name"] not in MODELS:
        raise ConfigError(
            f"it is a {config['class_name']:.80}, a class of its author's own, whose program is not in the file; make "
            "it a Sequential or functional model in Keras, and save again"
        )
    return config


def config_in(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record's arguments. Errors: ConfigError for anything but an object, or the list of an early Sequential."""
    config = record.get("config")
    if isinstance(config, list) and record.get("class_name") == "Sequential":
        return {"layers": config}
    if not isinstance(config, dict):
        raise ConfigError(f"{record.get('class_name')!s:.80} has no config, but {shown(config)}")
    return config


def layers_of(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The layers of a model, in the file's order. Errors: ConfigError for anything else."""
    found = config_in(model).get("layers")
    if not isinstance(found, list):
        raise ConfigError("a model in it lists no layers")
    for record in found:
        if not isinstance(record, dict) or not isinstance(record.get("class_name"), str):
            raise ConfigError(f"expected a layer with its class_name, got {shown(record)}")
    return found


def all_layers(model: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Every layer in a model and in those within it. Errors: ConfigError where they lie too deep."""
    if depth > MAX_DEPTH:
        raise ConfigError(f"models lie within models more than {MAX_DEPTH} deep")
    for record in layers_of(model):
        if record["class_name"] in MODELS:
            yield from all_layers(record, depth + 1)
        else:
            yield record


def name_of(record: Mapping[str, Any]) -> str:
    """A layer's name."""
    config = record.get("config")
    inner = config.get("name") if isinstance(config, dict) else None
    return str(record.get("name") or inner or record["class_name"])


def is_custom(record: Mapping[str, Any]) -> bool:
    """Whether it is of a class of an author's own."""
    module, registered = record.get("module"), record.get("registered_name")
    known = module is None or str(module).split(".")[0] in ("keras", "tf_keras", "tensorflow", "builtins")
    return not known or ">" in str(registered)


def kind_of(record: Mapping[str, Any]) -> str:
    """Its class, or the operation it stands for. Errors: ConfigError for a class of an author's own."""
    kind, module = str(record["class_name"]), str(record.get("module"))
    for name in (record.get("registered_name"), kind):  # .h5 files have but one name
        if str(name).startswith(REGISTERED) and name in BY_KERAS:
            return str(name)
    if is_custom(record):
        raise ConfigError(f"{kind} is a class of an author's own")
    if kind == "TFOpLambda":
        return f"ops.{str(config_in(record).get('function')).rpartition('.')[2].replace('_', '').lower()}"
    operation = f"ops.{kind.lower()}"
    if ".ops." in module or (operation in OPERATIONS and kind not in BY_KERAS):  # .h5 files of Keras 3 say no module
        return operation
    return kind


def channels_first(record: Mapping[str, Any]) -> bool:
    """Whether its pictures have their channels first."""
    config = record.get("config")
    given = config.get("data_format", config.get("dim_ordering")) if isinstance(config, dict) else None
    return given in ("channels_first", "th")


def paths_of(records: Sequence[Mapping[str, Any]], base: str) -> list[str]:
    """Where .weights.h5 keeps each layer: by class and number."""
    counts: Counter[str] = Counter()
    found = []
    for record in records:
        kind = class_path(record["class_name"])
        if ".ops." in str(record.get("module")):
            kind = ""
        found.append(f"{base}{kind}_{counts[kind]}" if counts[kind] else f"{base}{kind}")
        counts[kind] += 1
    return found


Reference = tuple[str, int, int]
"""A value by the layer that gives it, the number of the call, and which of its answers it is."""


def _reference(spec: Any) -> Reference:
    if (
        not isinstance(spec, list)
        or len(spec) not in (3, 4)
        or not isinstance(spec[0], str)
        or not all(type(number) is int and 0 <= number <= MAX_LAYERS for number in spec[1:3])
    ):
        raise ConfigError(f"expected a value as [layer, call, answer], got {shown(spec)}")
    return spec[0], spec[1], spec[2]


def ends_of(spec: Any) -> list[Reference]:
    """The inputs or outputs of a functional model: one value, a list or an object of them."""
    if isinstance(spec, dict):
        spec = list(spec.values())
    if isinstance(spec, list) and spec and isinstance(spec[0], str):
        spec = [spec]
    if not isinstance(spec, list) or not spec:
        raise ConfigError(f"a model in it has no inputs or outputs, but {shown(spec)}")
    return [_reference(each) for each in spec]


def calls_of(record: Mapping[str, Any]) -> list[tuple[list[Reference], list[Any]]]:
    """For each call of a layer the values it reads, and the constants."""
    nodes = record.get("inbound_nodes", [])
    if not isinstance(nodes, list):
        raise ConfigError(f"{name_of(record)!r} reads {shown(nodes)}; expected a list")
    found = []
    for node in nodes:
        references: list[Reference] = []
        constants: list[Any] = []
        if isinstance(node, dict):  # Keras 3
            _collect([node.get("args", []), list((node.get("kwargs") or {}).values())], references, constants)
        else:
            for spec in node if node and isinstance(node[0], list) else [node]:
                references.append(_reference(spec))
                more = spec[3] if len(spec) == 4 and isinstance(spec[3], dict) else {}
                for name, value in more.items():
                    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
                        references.append(_reference(value))
                    elif name not in ("name", "training", "mask") and not isinstance(value, bool | None):
                        constants.append(value)
        found.append((references, constants))
    return found


MASKS = ("mask", "query_mask", "value_mask", "key_mask")
MASK_OPERATIONS = ("NotEqual", "Any", "ConvertToTensor", "LogicalAnd", "LogicalOr", "ExpandDims")
"""Of what Keras 3 makes the masks that it writes into functional models, and that come of the layers here."""


def without_masks(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """A model's config without the masks that Keras passes on unseen, and without what computes them."""
    given = model.get("config")
    config: dict[str, Any] = given if isinstance(given, dict) else {}
    records = config.get("layers")
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        return model
    masking = {str(one.get("name")) for one in records if one.get("class_name") in MASK_OPERATIONS}
    left = [_unmasked(one, masking) for one in records]
    read: set[str] = set()
    for one in left:
        if one.get("name") not in masking and isinstance(one.get("inbound_nodes"), list):
            read |= {name for references, _ in calls_of(one) for name, _, _ in references}
    kept = [one for one in left if one.get("name") not in masking - read]
    kept = [dict(without_masks(one)) if one.get("class_name") in MODELS else one for one in kept]
    return {**model, "config": {**config, "layers": kept}}


def _unmasked(record: dict[str, Any], masking: set[str]) -> dict[str, Any]:
    nodes = record.get("inbound_nodes")
    if not isinstance(nodes, list) or not masking:
        return record

    def of_masks(value: Any) -> bool:
        references: list[Reference] = []
        _collect(value, references, [])
        return bool(references) and all(name in masking for name, _, _ in references)

    def less(node: Any) -> Any:
        if isinstance(node, list):  # as .h5 has it: [layer, call, answer, {"mask": ...}]
            return [less(one) for one in node] if node and isinstance(node[0], list) else _less_of(node, masking)
        if not isinstance(node, dict):
            return node
        given = node.get("kwargs") or {}
        return {**node, "kwargs": {k: v for k, v in given.items() if not (k in MASKS and of_masks(v))}}

    return {**record, "inbound_nodes": [less(node) for node in nodes]}


def _less_of(node: list[Any], masking: set[str]) -> list[Any]:
    more = node[3] if len(node) == 4 and isinstance(node[3], dict) else {}
    kept = {
        name: value
        for name, value in more.items()
        if not (name in MASKS and isinstance(value, list) and value and value[0] in masking)
    }
    return [*node[:3], kept, *node[4:]] if more else node


def flags_of(record: Mapping[str, Any]) -> set[str]:
    """What is said to be so where a layer is called, in Keras 3.

    Errors: ConfigError for a mask that the network computes.
    """
    nodes = record.get("inbound_nodes", [])
    each = nodes if isinstance(nodes, list) else []
    kwargs = [node.get("kwargs") or {} for node in each if isinstance(node, dict)]
    specs = [
        one
        for node in each
        if isinstance(node, list)
        for one in (node if node and isinstance(node[0], list) else [node])
    ]
    kwargs += [one[3] for one in specs if len(one) == 4 and isinstance(one[3], dict)]
    if any(isinstance(each.get(name), dict) for each in kwargs for name in ("mask", "attention_mask")):
        raise ConfigError(f"{name_of(record)!r} reads a mask that is computed, which has no counterpart here")
    return {name for each in kwargs for name, value in each.items() if value is True}


def _collect(spec: Any, references: list[Reference], constants: list[Any]) -> None:
    """The values and the constants among the arguments of a call in Keras 3."""
    if isinstance(spec, dict) and spec.get("class_name") == "__keras_tensor__":
        references.append(_reference(config_in(spec).get("keras_history")))
    elif isinstance(spec, list):
        for each in spec:
            _collect(each, references, constants)
    elif spec is not None and not isinstance(spec, bool):
        constants.append(spec)
