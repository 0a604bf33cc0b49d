"""What programs of TensorFlow 1 say of memory and sessions before they use Keras: taken, and nothing comes of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pellucid.errors import ConfigError
from pellucid.keras.tensorflow.random import set_seed

__all__ = [
    "ConfigProto", "GPUOptions", "InteractiveSession", "Session", "disable_eager_execution", "disable_v2_behavior",
    "enable_eager_execution", "global_variables_initializer", "logging", "set_random_seed",
]  # fmt: skip


class GPUOptions(SimpleNamespace):
    """How much of a graphics card's memory is taken; here arrays take what they need."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)


class ConfigProto(SimpleNamespace):
    """Settings of a session, see `GPUOptions`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"gpu_options": GPUOptions(), **settings})


class Session:
    """What such settings are given to. Errors: ConfigError where it is to run something."""

    def __init__(self, target: str = "", graph: Any = None, config: Any = None) -> None:
        self.config = config

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing."""

    def run(self, *fetches: Any, **more: Any) -> None:
        """Nothing for what `global_variables_initializer` gave. Errors: ConfigError for anything else."""
        if fetches != (None,):
            raise ConfigError("Session.run: graphs of TensorFlow 1 are not here; fit, predict and calling a layer are")


InteractiveSession = Session


class logging:
    """How much TensorFlow says."""

    DEBUG, INFO, WARN, WARNING, ERROR, FATAL = 10, 20, 30, 30, 40, 50

    @staticmethod
    def set_verbosity(level: Any) -> None:
        """Nothing: it says nothing."""


def global_variables_initializer() -> None:
    """Nothing: weights have their first values when a model is built."""


def disable_eager_execution() -> None:
    """Nothing: arrays are calculated at once, networks as graphs."""


disable_v2_behavior = enable_eager_execution = disable_eager_execution
set_random_seed = set_seed
