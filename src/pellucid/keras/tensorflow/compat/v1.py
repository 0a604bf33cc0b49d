"""TensorFlow 1, of which sessions and their settings are taken; what else is asked for is today's."""

from __future__ import annotations

from typing import Any

from pellucid.keras import tensorflow
from pellucid.keras.tensorflow.sessions import *  # noqa: F403 (named once, there)
from pellucid.keras.tensorflow.sessions import __all__ as __all__


def __getattr__(name: str) -> Any:
    return getattr(tensorflow, name)
