"""Networks by name: one builder each, `f(input_shape=…, classes=…, seed=…)`, returning a built model.

`build` takes the name, the builder's own options, and settings of single layers, `LAYER.ARGUMENT`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

from pellucid.errors import expect_known, unknown_name
from pellucid.model import Model
from pellucid.ops.geometry import Shape
from pellucid.zoo.changes import change_layers
from pellucid.zoo.pretrained import fill
from pellucid.zoo.pretrained import import_model as import_model
from pellucid.zoo.recipes import NETWORKS
from pellucid.zoo.recipes import Recipe as Recipe

# A line a network, the small ones first: the order of NAMES.
# isort: off
from pellucid.zoo.simple_convnet import simple_convnet as simple_convnet
from pellucid.zoo.lenet import lenet5 as lenet5, lenet5_published as lenet5_published
from pellucid.zoo.cifar_net import cifar_net as cifar_net
from pellucid.zoo.convnetjs import convnetjs_cifar10 as convnetjs_cifar10
from pellucid.zoo.alexnet import alexnet as alexnet, alexnet_owt as alexnet_owt
from pellucid.zoo.vgg import vgg11 as vgg11, vgg13 as vgg13, vgg16 as vgg16, vgg19 as vgg19
from pellucid.zoo.photo_net import photo_net as photo_net
from pellucid.zoo.inverted import mobilenet_v2 as mobilenet_v2, efficientnet_lite0 as efficientnet_lite0
from pellucid.zoo.inverted import efficientnet_lite1 as efficientnet_lite1, efficientnet_lite2 as efficientnet_lite2
from pellucid.zoo.residual import resnet20 as resnet20, resnet56 as resnet56
from pellucid.zoo.squeezenet import squeezenet1_0 as squeezenet1_0, squeezenet1_1 as squeezenet1_1
from pellucid.zoo.googlenet import googlenet as googlenet
from pellucid.zoo.densenet import densenet121 as densenet121
from pellucid.zoo.residual import resnet18 as resnet18, resnet34 as resnet34, resnet50 as resnet50
from pellucid.zoo.unet import unet as unet

# isort: on

BUILDERS: dict[str, Callable[..., Model]] = {name: network.builder for name, network in NETWORKS.items()}
"""The function that builds each network, by its name."""

NAMES = tuple(BUILDERS)
"""What the command line calls them; - and _ are taken for one another, and capitals for small letters."""

__all__ = tuple(
    sorted(
        ["BUILDERS", "NAMES", "Recipe", "build", "import_model", "options_of", "recipe"]
        + [made.__name__ for made in BUILDERS.values()]
    )
)


def find(name: str) -> str | None:
    """The name as `NAMES` has it, None where it is not there."""
    plain = name.lower().replace("_", "-")
    return next((known for known in NAMES if known.replace("_", "-") == plain), None)


def standard_name(name: str) -> str:
    """The name as `NAMES` has it. Errors: ConfigError for an unknown one, with the nearest."""
    found = find(name)
    if found is None:
        raise unknown_name("model", name, NAMES)
    return found


def recipe(name: str, data: str | None = None) -> Recipe:
    """How the network of this name is trained unless something else is said; data: on this data set, by name.

    >>> print(recipe("cifar-net"))
    20 epochs, batch size 64, adam, categorical_crossentropy, schedule cosine, standardized
    """
    found = NETWORKS[standard_name(name)].recipe
    return found if data is None else found.for_data(data)


def channels_of(name: str) -> int:
    """How many channels the pictures have that a network was published for."""
    return int(inspect.signature(BUILDERS[standard_name(name)]).parameters["input_shape"].default[-1])


def options_of(name: str) -> dict[str, Any]:
    """A builder's own arguments and their defaults."""
    arguments = inspect.signature(BUILDERS[standard_name(name)]).parameters.values()
    return {a.name: a.default for a in arguments if a.name not in ("input_shape", "classes", "weights", "seed")}


def build(
    name: str,
    *,
    input_shape: Shape | None = None,
    classes: int | None = None,
    weights: str | PathLike[str] | None = None,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> Model:
    """The network of this name; input_shape and classes left out are those it was published with.

    weights: "imagenet" for those that were published, or a file of them; see `pretrained.fill`.

    An option with a dot is an argument of a layer, "conv1.activation", or of every layer whose name fits a pattern,
    "conv*.kernel_initializer"; see `changes.change_layers`.
    Errors: ConfigError for an unknown name, option, layer or argument.

    >>> build("lenet5", options={"pool*.type": "MaxPool2D", "conv1.filters": 8}).layers[1]
    <MaxPool2D 'pool1' 2x2, valid>
    """
    plain = standard_name(name)
    known = options_of(plain)
    own = {option: value for option, value in (options or {}).items() if "." not in option}
    for option in own:
        expect_known(f"option of {plain}", option, known)
    sizes = {"input_shape": input_shape, "classes": classes}
    given = {key: value for key, value in sizes.items() if value is not None}
    model = BUILDERS[plain](**given, **own, seed=seed)
    changes = {option: value for option, value in (options or {}).items() if "." in option}
    if changes:
        model = change_layers(model, changes)
    if weights is not None:
        fill(model, weights)
    return model
