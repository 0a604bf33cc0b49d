"""The few functions of TensorFlow's that Keras programs call, on arrays and, where layers do it, a network's values.

`pellucid run` gives them to a program under TensorFlow's name. names.py lists them.
"""

from __future__ import annotations

import functools
import sys

from pellucid.keras.refused import stand_in
from pellucid.keras.tensorflow import names
from pellucid.keras.tensorflow.names import *  # noqa: F403 (each is named once, there)

__version__ = "2.18.0"


class version:
    """Which TensorFlow's names these are."""

    VERSION = __version__


__all__ = sorted([*names.__all__, "compat", "version"])
__getattr__ = functools.partial(stand_in, sys.modules[__name__])

from pellucid.keras.tensorflow import compat as compat  # noqa: E402 (which has what stands above)
