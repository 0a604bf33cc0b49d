"""A model, as far as training asks for one: the packages of models come after this one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pellucid._locks import Turns
from pellucid.datasets.transforms import Preprocessing
from pellucid.files.inside import Place
from pellucid.layers import Layer
from pellucid.layers.graph import Graph
from pellucid.layers.parameters import FlatParameters
from pellucid.losses import Loss
from pellucid.metrics import Metric
from pellucid.ops.geometry import Array, Shape
from pellucid.optimizers import Optimizer
from pellucid.train.state import OptimizerState


class Trainable(Protocol):
    """What is asked of a model."""

    name: str
    class_names: tuple[str, ...] | None
    preprocessing: Preprocessing
    turns: Turns
    exact_convolution: bool
    stop_training: bool
    labels_in_rows: bool

    @property
    def graph(self) -> Graph: ...
    @property
    def flat_layers(self) -> Sequence[Layer]: ...
    @property
    def parameters(self) -> FlatParameters: ...
    @property
    def loss(self) -> Loss: ...
    @property
    def optimizer(self) -> Optimizer: ...
    @property
    def optimizer_state(self) -> OptimizerState: ...
    @property
    def metrics(self) -> tuple[str | Metric, ...]: ...
    @property
    def metric_names(self) -> tuple[str, ...]: ...
    @property
    def output_shape(self) -> Shape: ...
    def prepare_slots(self) -> None: ...
    def touch(self) -> None: ...
    def scaled(self, images: Any) -> Array: ...
    def get_weights(self) -> list[Array]: ...
    def set_weights(self, weights: Sequence[Any]) -> None: ...
    def facts(self) -> dict[str, Any]: ...
    def save(self, path: Place) -> None: ...
