"""How a network is trained where nothing else is said, and the table in which networks stand with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pellucid.model import Model

Build = TypeVar("Build", bound=Callable[..., Model])


@dataclass(frozen=True)
class Recipe:
    """Settings that suit a network, found by trying them; each gives way to what a call or a command says.

    epochs, batch_size, loss, augment ("none" or "standard"): as `train_run` takes them. optimizer: its name;
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


@dataclass(frozen=True)
class Network:
    """A row of the table: who builds a network, and how it is trained."""

    builder: Callable[..., Model]
    recipe: Recipe


NETWORKS: dict[str, Network] = {}
"""The networks by name, in the order in which their files are imported."""


def network(name: str, recipe: Recipe) -> Callable[[Build], Build]:
    """Put the builder below into the table under this name, with its recipe."""

    def enter(builder: Build) -> Build:
        NETWORKS[name] = Network(builder, recipe)
        return builder

    return enter
