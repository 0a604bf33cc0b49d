"""Data sets: the named ones, folders of pictures, and the path from a file to a batch.

registry.py loads by name or path; sources.py lists the names; download.py finds and fetches files.
idx.py and cifar.py read formats, mapped.py shares what they gave among processes; folder.py, pictures.py and cache.py
read folders of pictures.
labels.py splits and weighs by class; transforms.py scales; augmentation.py draws
what changes pictures; batches.py puts batches together.
digits, mnist, fashion_mnist, cifar10 and cifar100 each give Keras's load_data().
"""

from __future__ import annotations

from pellucid.datasets import cifar10, cifar100, digits, fashion_mnist, mnist
from pellucid.datasets.dataset import Dataset, Pictures, Split
from pellucid.datasets.registry import fetch_named, load, locate, names
from pellucid.datasets.sources import Known, known

__all__ = [
    "Dataset", "Known", "Pictures", "Split", "cifar10", "cifar100", "digits", "fashion_mnist", "fetch_named", "known",
    "load", "locate", "mnist", "names",
]  # fmt: skip
