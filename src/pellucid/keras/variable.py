"""Keras 3's variables, which begin as an initializer says."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import autodiff, initializers
from pellucid.keras.seeds import next_seed


class Variable(autodiff.Variable):
    """`Variable(initializer, shape=...)` draws its numbers, `Variable(numbers)` takes these.

    Errors: ConfigError for an unknown initializer.
    """

    def __init__(
        self, initializer: Any, shape: Any = None, dtype: Any = None, trainable: bool = True, autocast: bool = True,
        aggregation: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        if shape is not None and (isinstance(initializer, str) or callable(initializer)):
            sizes = (shape,) if isinstance(shape, int) else tuple(shape)
            initializer = initializers.get(initializer)(sizes, np.random.default_rng(next_seed()))
        super().__init__(initializer, trainable, name=name, dtype=dtype)
