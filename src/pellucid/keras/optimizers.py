"""Keras's optimizers: ours, by Keras's names."""

from __future__ import annotations

from pellucid.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, Optimizer, RMSprop, get

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "get"]
