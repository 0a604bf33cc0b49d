"""`save_weights` and `load_weights` of Keras's models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid import keras
from pellucid.errors import ConfigError


def made() -> keras.Sequential:
    layers = [keras.layers.Conv2D(3, 3, input_shape=(6, 6, 2)), keras.layers.BatchNormalization()]
    return keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(4)])


def test_weights_go_into_a_file_and_come_back(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    first, second = made(), made()
    first.save_weights(tmp_path / "m.weights.h5")
    x = np.random.default_rng(0).random((3, 6, 6, 2), np.float32)
    assert not np.allclose(first.predict(x), second.predict(x))
    before = second.preprocessing
    second.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(first.predict(x), second.predict(x))
    assert second.preprocessing == before
    with pytest.raises(ConfigError, match=r"ends in \.weights\.h5, got 'm\.pt'"):
        first.save_weights(tmp_path / "m.pt")
