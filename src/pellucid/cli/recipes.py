"""What `pellucid train` does where nothing is said: settings that suit a network, found by trying them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """How a network is trained unless the command says otherwise.

    optimizer_settings belong to the optimizer named here and are left out with another one. settings: what `--set`
    takes, the network's own arguments and the schedule.
    """

    epochs: int = 20
    batch_size: int = 32
    optimizer: str = "adam"
    optimizer_settings: Mapping[str, Any] = field(default_factory=dict)
    loss: str = "categorical_crossentropy"
    augment: str = "none"
    standardize: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


DATA, MODEL, FOLDER_MODEL, RESIZE = "digits", "simple-convnet", "photo-net", "crop"
"""What is trained on what, and how pictures of other shapes are fitted, where nothing is said."""

USUAL = Recipe()
FALLING = {"schedule": "cosine"}

RECIPES = {
    # batch norm's last epochs are restless unless the learning rate falls to zero
    "photo-net": Recipe(augment="standard", settings=FALLING),
    "lenet5": Recipe(optimizer_settings={"learning_rate": 0.002}, settings=FALLING),
    "lenet5-published": Recipe(
        batch_size=64, optimizer_settings={"learning_rate": 0.005}, loss="map_criterion", settings=FALLING
    ),
    "cifar-net": Recipe(batch_size=64, standardize=True, settings=FALLING),
    "convnetjs-cifar10": Recipe(settings=FALLING),
    "resnet20": Recipe(
        batch_size=128,
        optimizer="sgd",
        optimizer_settings={"learning_rate": 0.1, "momentum": 0.9},
        augment="standard",
        standardize=True,
        settings=FALLING,
    ),
}

SMALL_PICTURES = {("simple-convnet", "digits"): {"pad": 2, "weight_init_std": "he"}}
"""Settings for data that a network was not made for: digits of 8 x 8 are small for kernels of 5 x 5."""


def default_of(name: str, setting: str | None = None, *, usual: str | None = None) -> str:
    """What `train` takes where an option is not given, for its help: the usual value, and the networks with another.

    name: of the recipe's fields; setting: a key in that field. usual: what the usual value is called.

    >>> default_of("batch_size")
    '32; lenet5-published, cifar-net: 64; resnet20: 128'
    """

    def value(recipe: Recipe) -> Any:
        found = getattr(recipe, name)
        return found if setting is None else found.get(setting)

    others: dict[Any, list[str]] = {}
    for network, recipe in RECIPES.items():
        if value(recipe) != value(USUAL):
            others.setdefault(value(recipe), []).append(network)
    said = [f"{', '.join(networks)}: {'yes' if other is True else other}" for other, networks in others.items()]
    return "; ".join([usual or str(value(USUAL)), *said])


def recipe_for(model: str, data: str) -> Recipe:
    """The recipe of a network by its standard name, fitted to a data set by its name.

    >>> recipe_for("simple-convnet", "digits").settings
    {'pad': 2, 'weight_init_std': 'he'}
    """
    recipe = RECIPES.get(model, USUAL)
    return replace(recipe, settings={**recipe.settings, **SMALL_PICTURES.get((model, data), {})})
