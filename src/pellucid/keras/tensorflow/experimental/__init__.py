"""What TensorFlow has on trial: NumPy's functions."""

from __future__ import annotations

from pellucid.keras.tensorflow.experimental import numpy

__all__ = ["numpy"]
