"""A model as a short PyTorch module in source, and its state dict in safetensors beside it.

Attributes have the names of our layers, so that the weights come back by `pellucid import` too. Nothing of PyTorch is
needed to write them.
"""

from __future__ import annotations

import ast
import re
from importlib import resources

import numpy as np

from pellucid._python import in_docstring, literal
from pellucid.datasets.transforms import Preprocessing
from pellucid.engines.torch.layout import flattened
from pellucid.engines.torch.state import attributes, entries, values_of
from pellucid.engines.torch.table import flattening, text
from pellucid.engines.torch.words import Written
from pellucid.export import torch_state
from pellucid.layers import Layer
from pellucid.layers.graph import INPUT
from pellucid.model import Model
from pellucid.ops.geometry import Array, Shape

WIDTH = 110


def files(model: Model, stem: str) -> dict[str, bytes]:
    """STEM.py and STEM.safetensors. Errors: ConfigError for a layer that PyTorch has nothing like."""
    from safetensors.numpy import save

    return {
        f"{stem}.py": _source(model, attributes(model.flat_layers)).encode(),
        f"{stem}.safetensors": save(_state(model)),
    }


def state_files(model: Model, stem: str) -> dict[str, bytes]:
    """STEM.pth, the same state dict alone, for a module of somebody's own. Errors: as `files`."""
    _body(model, attributes(model.flat_layers))  # which refuses what PyTorch has not
    return {f"{stem}.pth": torch_state.to_bytes(_state(model), stem)}


def _state(model: Model) -> dict[str, Array]:
    """The arrays of the state dict by name."""
    return {entry.key: np.ascontiguousarray(entry.layout.write(entry.array)) for entry in entries(model.graph)}


def _classes() -> dict[str, str]:
    """The modules that torch.nn has not: their text, by name."""
    program = (resources.files("pellucid.engines.torch") / "modules.py").read_text(encoding="utf-8")
    found = [node for node in ast.parse(program).body if isinstance(node, ast.ClassDef)]
    return {node.name: ast.get_source_segment(program, node) or "" for node in found}


def _source(model: Model, names: dict[Layer, str]) -> str:
    title = re.sub(r"\W|_", " ", in_docstring(model.name), flags=re.ASCII).title().replace(" ", "")
    title = title if title.isidentifier() else f"Network{title}"
    made, run = _body(model, names)
    several = len(model.graph.outputs) > 1
    parts = model.graph.parts.values()
    given = ", ".join(names[part] for part in parts) or "x"
    shapes = " and ".join(f"(N, {_sizes(_first(part.target_shape))})" for part in parts)
    answers = "several outputs" if several else f"(N, {_sizes(_first(model.graph.output_shape))})"
    extra = [program for name, program in _classes().items() if any(f"= {name}(" in line for line in made)]
    classes = [f"CLASSES = {literal(model.class_names)}", ""] if model.class_names else []
    lines = [
        f'"""{in_docstring(model.name)}, written by Pellucid: network = load(); network(scaled(pictures))."""',
        "",
        "from pathlib import Path",
        "",
        "import torch",
        "import torch.nn.functional as F",
        "from safetensors.torch import load_file",
        "from torch import nn",
        "",
        *classes,
        "",
        *[line for each in extra for line in (*each.splitlines(), "", "")],
        f"class {title}(nn.Module):",
        f'    """{shapes or f"(N, {_sizes(_first(model.graph.input_shape))})"} as `scaled` gives them -> {answers}."""',
        "",
        "    def __init__(self):",
        "        super().__init__()",
        *(f"        {line}" for line in made),
        "",
        f"    def forward(self, {given}):",
        *(f"        {line}" for line in run),
        "",
        "",
        *_scaling(model.preprocessing, model.graph.input_shape),
        "",
        "",
        'def load(weights=Path(__file__).with_suffix(".safetensors")):',
        '    """The network with its weights, as it answers in use."""',
        f"    network = {title}()",
        "    network.load_state_dict(load_file(weights))",
        "    return network.eval()",
    ]
    return "\n".join(lines) + "\n"


def _first(shape: Shape) -> Shape:
    """(H, W, C) as PyTorch has it, (C, H, W)."""
    return (shape[-1], *shape[:-1])


def _sizes(shape: Shape) -> str:
    return ", ".join(map(str, shape))


def _scaling(scaling: Preprocessing, input_shape: Shape) -> list[str]:
    """What happens to pictures before the network, as a function."""
    pixels = "pictures.float()"
    if scaling.scale != 1:
        by = 1 / scaling.scale
        pixels = f"pictures / {round(by)}" if abs(by - round(by)) < 1e-9 else f"pictures * {scaling.scale!r}"
    where = f"({', '.join(['-1', *['1'] * (len(input_shape) - 1)])})"
    numbers = {name: getattr(scaling, name) for name in ("mean", "std")}
    lines = [f"{name} = torch.tensor({literal(of)}).view{where}" for name, of in numbers.items() if of is not None]
    shifted = pixels if scaling.mean is None else f"({pixels} - mean)"
    return [
        "def scaled(pictures):",
        f'    """Pixels from 0 to 255, (N, {_sizes(_first(input_shape))}), as the network learned from them:',
        "",
        f"    {scaling.in_words()}.",
        '    """',
        *(f"    {line}" for line in lines),
        f"    return {shifted if scaling.std is None else f'{shifted} / std'}",
    ]


def _body(model: Model, names: dict[Layer, str]) -> tuple[list[str], list[str]]:
    """The lines of `__init__` and of `forward`."""
    graph, end = model.graph, len(model.graph.nodes)
    readers = {i: [*found, *[end] * (i in graph.outputs)] for i, found in graph.readers().items()}
    _, fixed = flattened(graph)
    made: list[str] = []
    run: list[str] = []
    own_names = values_of(graph.layers)
    values = {INPUT: "x", **{number: names[part] for number, part in graph.parts.items()}}

    def alive(name: str) -> bool:
        """Whether a value of this name is read behind the layer."""
        return any(one == name and readers[i][-1:] > [visit.number] for i, one in values.items())

    for visit in graph.walk():
        if visit.number in graph.parts:
            continue
        layer, own = visit.layer, f"self.{names[visit.layer]}"
        plain = text(layer, visit)
        written = flattening(visit, channels_last=True) if visit.number in fixed else plain
        if own_names[layer] == names[layer]:
            made += [f"{own}{part} = {module}" for part, module in written.modules.items()]
        read = [values[i] for i in visit.inputs]
        if not written.steps:
            values[visit.number] = read[0]
            continue
        alone = readers[visit.number] == [visit.number + 1] and not alive("x")
        target = "x" if alone else own_names[layer]
        lines = _statements(written, own, read, target)
        name, _, before = run[-1].partition(" = ") if run else ("", "", "")
        if layer.role in ("activation", "batch norm") and read == [name] and not alive(name):
            together = _statements(written, own, [before], target)
            if len(together) == 1 and len(together[0]) < WIDTH:
                run.pop()
                lines = together
        run += lines
        values[visit.number] = target
    outputs = ", ".join(values[number] for number in graph.outputs)
    if run and run[-1].startswith(f"{outputs} = "):
        return made or ["pass"], [*run[:-1], f"return {run[-1].partition(' = ')[2]}"]
    return made or ["pass"], [*run, f"return {outputs}"]


def _statements(written: Written, own: str, read: list[str], target: str) -> list[str]:
    """What a layer does as assignments to one name."""
    lines = []
    current = read[0]
    for place, step in enumerate(written.steps):
        if place == 0 and len(read) > 1:
            current = re.sub(r"\{(\d+)\}", lambda found: read[int(found[1])], step)
            continue
        if step.count("{x}") > 1 and not current.isidentifier():
            lines.append(f"{target} = {current}")
            current = target
        current = _put(current, step.replace("{self}", own))
    return [*lines, f"{target} = {current}"]


def _put(inner: str, step: str) -> str:
    """An expression into {x}, in brackets where it needs them."""
    outside, shorter = "", inner
    while outside != shorter:
        outside, shorter = shorter, re.sub(r"\([^()]*\)", "", shorter)
    alone = inner if " " not in outside else f"({inner})"
    return re.sub(r"(?<=\()\{x\}(?=[,)])", lambda _: inner, step).replace("{x}", alone)
