"""Keras's data sets: ours, each with Keras's load_data()."""

from __future__ import annotations

from pellucid.datasets import cifar10, cifar100, fashion_mnist, mnist
from pellucid.keras import imdb, reuters

__all__ = ["cifar10", "cifar100", "fashion_mnist", "imdb", "mnist", "reuters"]
