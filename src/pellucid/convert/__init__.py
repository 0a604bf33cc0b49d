"""Weights from elsewhere: PyTorch's, Keras's and the book's files become weights of our layers.

Files that hold a whole network are rows of files.py, which reads them. Of files that hold weights alone,
import_weights fills a model, `zoo.import_model` builds one and fills it; a file is told by its content (weights.py).
torch_file.py, torch.py, keras.py and book.py read, and run nothing that a file says; the last three know names and
layouts, keras_layers.py what Keras calls our layers, torch_names.py those of published networks with branches; match.py
compares them with the model. published.py lists published files, and how pictures were prepared for them, checking.py
tries which of these recipes a network wants; fetching.py finds and downloads these files.
"""

from __future__ import annotations

from pellucid.convert.checking import Tried, compare_scalings
from pellucid.convert.fetching import bring, locate
from pellucid.convert.files import Kind, empty, holds_network, import_network, load
from pellucid.convert.keras_published import KERAS_PUBLISHED
from pellucid.convert.match import DoesNotFit
from pellucid.convert.published import PUBLISHED, SCALINGS, Published, imagenet_names, published
from pellucid.convert.source import Source
from pellucid.convert.weights import Imported, fill_from, import_weights, open_weights

__all__ = [
    "KERAS_PUBLISHED", "PUBLISHED", "SCALINGS", "DoesNotFit", "Imported", "Kind", "Published", "Source", "Tried",
    "bring", "compare_scalings", "empty", "fill_from", "holds_network", "imagenet_names", "import_network",
    "import_weights", "load", "locate", "open_weights", "published",
]  # fmt: skip
