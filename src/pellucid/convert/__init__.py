"""Weights from elsewhere: PyTorch's, Keras's and the book's files become weights of our layers.

import_weights fills a model, import_model builds one of the zoo's and fills it (weights.py). opening.py tells a file by
its content; torch_file.py, safetensors_file.py, keras.py and book.py read, and run nothing that a file says; torch.py,
keras.py and book.py know names and layouts; match.py compares them with the model; scaling.py knows how pictures were
prepared, published.py the hashes of published files.
"""

from __future__ import annotations

from pellucid.convert.opening import open_weights
from pellucid.convert.published import PUBLISHED, Published
from pellucid.convert.scaling import SCALINGS
from pellucid.convert.source import Source
from pellucid.convert.weights import Imported, import_model, import_weights

__all__ = ["PUBLISHED", "SCALINGS", "Imported", "Published", "Source", "import_model", "import_weights", "open_weights"]
