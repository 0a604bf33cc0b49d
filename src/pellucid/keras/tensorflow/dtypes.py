"""Types of numbers, by TensorFlow's names."""

import numpy as _np
from numpy import dtype as DType
from numpy import float16 as float16
from numpy import float32 as float32
from numpy import float64 as float64
from numpy import int8 as int8
from numpy import int16 as int16
from numpy import int32 as int32
from numpy import int64 as int64
from numpy import uint8 as uint8
from numpy import uint16 as uint16

from pellucid import _modules
from pellucid.keras.tensorflow.arrays import cast as cast

as_dtype = DType
bool, string = _np.bool_, _np.str_
__all__ = _modules.listed(globals())
