"""Keras's initializers: ours, by Keras's names."""

from __future__ import annotations

from pellucid.initializers import Constant, Initializer, Ones, RandomNormal, RandomUniform, VarianceScaling, Zeros, get
from pellucid.initializers import glorot_normal as GlorotNormal
from pellucid.initializers import glorot_uniform as GlorotUniform
from pellucid.initializers import he_normal as HeNormal
from pellucid.initializers import he_uniform as HeUniform
from pellucid.initializers import lecun_normal as LecunNormal
from pellucid.initializers import lecun_uniform as LecunUniform

__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Initializer", "LecunNormal", "LecunUniform",
    "Ones", "RandomNormal", "RandomUniform", "VarianceScaling", "Zeros", "get",
]  # fmt: skip
