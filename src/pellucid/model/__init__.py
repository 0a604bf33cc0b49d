"""A model: layers in a graph, with their parameters, what they are trained with, and the file they are kept in."""

from __future__ import annotations

from pellucid.model.model import Model, Sequential, assemble, set_exact_convolution

__all__ = ["Model", "Sequential", "assemble", "set_exact_convolution"]
