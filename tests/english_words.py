"""Words of English in what should be Korean."""

from __future__ import annotations

import re

from pellucid import layers as L
from pellucid.datasets.augmentation import KINDS

ENGLISH_WORD = re.compile(r"[A-Za-z]{2,}")
NAMES = set(
    re.findall(
        r"\w+",
        """
    relu ReLU LeakyReLU leaky_relu softmax sigmoid tanh scaled LRN RBF valid same sqrt Grad CAM
    IoU MiB KB MB GB px SHA NumPy CPU AVX
""",
    )
)
"""Functions, arguments' values and units, which Korean code and papers write so too."""
NAMES |= {word for name in KINDS for word in name.split("_")}


def english(text: str, *names: str) -> list[str]:
    """Those that are no names."""
    for name in (*names, *L.__all__):
        text = text.replace(name, "")
    return [word for word in ENGLISH_WORD.findall(text) if word not in NAMES]
