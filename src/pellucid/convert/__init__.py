"""Weights from elsewhere: PyTorch's, Keras's and the book's files become weights of our layers.

import_weights fills a model, import_model builds one of the zoo's and fills it; a file is told by its content
(weights.py). torch_file.py, torch.py, keras.py and book.py read, and run nothing that a file says; the last three know
names and layouts; match.py compares them with the model; published.py knows the hashes of published files, and how
pictures were prepared.
"""

from __future__ import annotations

from pellucid.convert.published import PUBLISHED, SCALINGS, Published
from pellucid.convert.source import Source
from pellucid.convert.weights import Imported, import_model, import_weights, open_weights

__all__ = ["PUBLISHED", "SCALINGS", "Imported", "Published", "Source", "import_model", "import_weights", "open_weights"]
