"""How a network is trained where nothing else is said, and the table in which networks stand with it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from pellucid.model import Model

Options = ParamSpec("Options")
Built = TypeVar("Built", bound=Model, covariant=True)
Form = TypeVar("Form")


@dataclass(frozen=True)
class Recipe:
    """Settings that suit a network, found by trying them; each gives way to what a call or a command says.

    epochs, batch_size, loss, augment ("none" for nothing): as `train_run` takes them. optimizer: its name;
    learning_rate and optimizer_settings are its arguments, and are left out with another one (None: its own default).
    schedule: what the learning rate follows over the run, by name. standardize: each channel of the training pictures
    is brought to mean 0 and deviation 1; else pictures are scaled as the network was built, by default to 0 to 1.
    settings: arguments of the network. on: more of these for data sets the network was not made for, by their names.
    """

    epochs: int = 20
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float | None = None
    optimizer_settings: Mapping[str, Any] = field(default_factory=dict)
    loss: str = "categorical_crossentropy"
    schedule: str | None = None
    augment: str = "none"
    standardize: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    on: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    @property
    def of_optimizer(self) -> dict[str, Any]:
        """All that its optimizer is given."""
        rate = {} if self.learning_rate is None else {"learning_rate": self.learning_rate}
        return {**rate, **self.optimizer_settings}

    def for_data(self, name: str) -> Recipe:
        """The recipe for a data set by its name."""
        return replace(self, settings={**self.settings, **self.on.get(name, {})})

    def __str__(self) -> str:
        """In a line.

        >>> print(Recipe(optimizer="sgd", learning_rate=0.1, optimizer_settings={"momentum": 0.9}, standardize=True))
        20 epochs, batch size 32, sgd (learning_rate 0.1, momentum 0.9), categorical_crossentropy, standardized
        """
        settings = ", ".join(f"{name} {value}" for name, value in self.of_optimizer.items())
        parts = [f"{self.epochs} epochs", f"batch size {self.batch_size}"]
        parts += [f"{self.optimizer} ({settings})" if settings else self.optimizer, self.loss]
        parts += [] if self.schedule is None else [f"schedule {self.schedule}"]
        parts += [] if self.augment == "none" else [f"augmentation {self.augment}"]
        parts += ["standardized"] if self.standardize else []
        return ", ".join([*parts, *(f"{name} {value}" for name, value in self.settings.items())])


PRETRAINED = Recipe(learning_rate=0.003, schedule="warm_up", augment="standard")
"""For a new head on published weights and fine-tuning, whichever the network; epochs go by the number of pictures."""


@dataclass(frozen=True)
class Network:
    """A row of the table: who builds a network, and how it is trained."""

    builder: Callable[..., Model]
    recipe: Recipe


NETWORKS: dict[str, Network] = {}
"""The networks by name, in the order in which their files are imported."""


class Builder(Protocol[Options, Built]):
    """A builder in the table: it takes `weights` too, "imagenet" or a file, and fills what it has built."""

    __name__: str

    @overload
    def __call__(self, *args: Options.args, **kwargs: Options.kwargs) -> Built: ...
    @overload
    def __call__(self, *args: Any, weights: str | PathLike[str] | None, **kwargs: Any) -> Built: ...


def network(name: str, recipe: Recipe) -> Callable[[Callable[Options, Built]], Builder[Options, Built]]:
    """Put the builder below into the table under this name, with its recipe, and let it take `weights`."""

    def enter(build: Callable[Options, Built]) -> Builder[Options, Built]:
        @functools.wraps(build)
        def builder(*args: Any, weights: str | PathLike[str] | None = None, **kwargs: Any) -> Built:
            model = build(*args, **kwargs)
            if weights is not None:
                from pellucid.zoo.pretrained import fill  # which reads files

                fill(model, weights)
            return model

        *own, seed = inspect.signature(build).parameters.values()
        given = inspect.Parameter("weights", inspect.Parameter.KEYWORD_ONLY, default=None)
        builder.__dict__["__signature__"] = inspect.Signature([*own, given, seed])
        NETWORKS[name] = Network(builder, recipe)
        return cast(Builder[Options, Built], builder)

    return enter


def variant(
    build: Callable[Concatenate[str, Form, Options], Built],
    name: str,
    form: Form,
    recipe: Recipe,
    doc: str,
    **defaults: Any,
) -> Builder[Options, Built]:
    """The builder of one network of a family, put into the table: build(name, form, ...) without these two.

    defaults: of its other arguments, where they are not the family's.
    """
    own = list(inspect.signature(build).parameters.values())[2:]
    signature = inspect.Signature([one.replace(default=defaults.get(one.name, one.default)) for one in own])

    def one(*args: Options.args, **kwargs: Options.kwargs) -> Built:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        return build(name, form, *given.args, **given.kwargs)

    one.__name__ = one.__qualname__ = name.replace("-", "_")
    one.__module__ = build.__module__
    one.__doc__ = doc
    one.__dict__["__signature__"] = signature
    return network(name, recipe)(one)
