"""Keras's optimizers under the name they had beside newer ones: the same."""

from __future__ import annotations

from pellucid.keras.optimizers import SGD, Adadelta, Adagrad, Adam, RMSprop

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "RMSprop"]
