"""A network that starts from another's weights, and what of it is not trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid._progress import WorkBar
from pellucid.errors import CheckpointError, ConfigError
from pellucid.files.inside import Inside, Place, reading
from pellucid.runs.console import Console
from pellucid.runs.folder import find_model

if TYPE_CHECKING:
    from pellucid.model import Model
    from pellucid.transfer import Frozen, Taken

SHOWN = 6
"""Layers that are named one by one; of more, the first and the last."""


def load_weights(weights: Path, model: str | Model | None, settings: Mapping[str, Any], console: Console) -> Model:
    """The trained network in a run folder, a model file, ours or another program's, or a file of weights alone.

    model: which network a file of weights is of. settings: those of the run.
    Errors: CheckpointError if there is none, or if it is damaged; ConfigError if nobody says what the network is.
    """
    from pellucid.convert import holds_network, load
    from pellucid.zoo.pretrained import nearly_imagenet

    if nearly_imagenet(weights):
        raise ConfigError(f'weights="{weights}": is no run or file; pretrained=True takes what is published')
    file = find_model(weights)
    with console.bar() as bar:
        whole = _is_ours(file) or (not isinstance(model, str) and holds_network(file))
        source = load(file) if whole else _foreign(file, model, settings, console, bar)
    if len(source.graph.input_shape) != 3:
        raise CheckpointError(f'weights="{file}": its network takes {source.graph.input_shape}, not pictures (H, W, C)')
    return source


def _is_ours(file: Place) -> bool:
    """Whether Pellucid wrote a file, damaged or not: our entry is the first of its header."""
    with reading(file) as opened:
        return b'"pellucid"' in opened.read(64)


def _foreign(file: Place, model: object, settings: Mapping[str, Any], console: Console, bar: WorkBar) -> Model:
    """The network of a file from elsewhere, without the layers that the file has no weights for.

    Of a network that is set to be another than the published one, its features alone.
    """
    from pellucid import zoo
    from pellucid.zoo import import_model

    if isinstance(file, Inside):
        raise CheckpointError(f'weights="{file}": is no Pellucid model file; was it changed or damaged?')
    if not isinstance(model, str):
        raise ConfigError(
            f'weights="{file}": is no Pellucid model file, so it does not say what network it is of; name the network, '
            f"as in `pellucid train vgg16 --weights {file.name}`"
        )
    known = zoo.options_of(model)
    options = {key: value for key, value in settings.items() if key in known or "." in key}
    source, report = import_model(file, model, options=options, no_top=bool(options), progress=bar)
    for text in report.notes:
        console.note(text)
    while any(layer.name in report.fresh for layer in source.flat_layers):
        source.detach()
    return source


def begin_from(
    network: Model,
    source: Model | None,
    weights: Path | None,
    names: Sequence[str],
    console: Console,
    *,
    freeze_taken: bool = False,
) -> dict[str, Any]:
    """Take the weights, freeze the layers named, say both, and tell it in a run's words.

    freeze_taken: freeze every layer that took weights, but for the last one of all.
    Errors: ShapeError where the weights belong to another network; ConfigError as `freeze`.
    """
    taken = None if source is None or weights is None else take(network, source, weights, console)
    if freeze_taken and taken is not None:
        names = taken.taken if taken.fresh else taken.taken[:-1]
    frozen = freeze(network, names, taken, console) if names else None
    return {
        "weights": None if weights is None else str(weights.resolve()),
        "taken": list(taken.taken) if taken else [],
        "fresh": list(taken.fresh) if taken else [],
        "frozen": list(frozen.frozen) if frozen else [],
    }


def take(network: Model, source: Model, weights: Path, console: Console) -> Taken:
    """Fill the network, and say what was taken and how pictures are scaled.

    Errors: ShapeError where the weights belong to another network.
    """
    from pellucid.transfer import take_weights

    taken = take_weights(network, source)
    console.say(f"weights {weights}: {taken}")
    if taken.unused:
        console.say(f"not used of them: {', '.join(taken.unused)}")
    height, width, channels = network.graph.input_shape
    parts = [f"{height} x {width}", "grey" if channels == 1 else "colour"]
    if source.graph.input_shape[:2] != (height, width):
        parts[0] += f" (the weights learned {source.graph.input_shape[0]} x {source.graph.input_shape[1]})"
    console.say(f"pictures {', '.join(parts)}, {network.preprocessing.in_words()}, as the weights learned them")
    return taken


def freeze(network: Model, names: Sequence[str], taken: Taken | None, console: Console) -> Frozen:
    """Freeze layers, and say which, and how many parameters are trained.

    Errors: ConfigError for an unknown layer, for one that starts anew, or if nothing is left to train.
    """
    from pellucid import transfer

    chosen = {layer.name for name in names for layer in transfer.matching(network, name)}
    blank = [name for name in (taken.fresh if taken else ()) if name in chosen]
    if blank:
        raise ConfigError(
            f'freeze="{" ".join(names)}": {", ".join(blank)} would start anew and stay so, as the weights do not fill '
            "it; freeze other layers"
        )
    result = transfer.freeze(network, names)
    layers = "layer" if len(result.frozen) == 1 else "layers"
    console.say(
        f"frozen {listed(result.frozen)}: {len(result.frozen)} {layers}, {result.frozen_parameters:,} parameters"
    )
    console.say(f"trained {listed(result.trained)}: {result.trained_parameters:,} parameters")
    if taken is None:
        console.note(f"(no {console.option('weights')}: the frozen layers keep their random start)")
    return result


def listed(names: Sequence[str]) -> str:
    """A few names, or the first and the last of many.

    >>> listed(["fc6", "fc7"]), listed([f"conv{i}" for i in range(13)])
    ('fc6, fc7', 'conv0 ... conv12')
    """
    return ", ".join(names) if len(names) <= SHOWN else f"{names[0]} ... {names[-1]}"
