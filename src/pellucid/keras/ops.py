"""Keras 3's operations, of arrays and of a network's values: NumPy's functions, and what layers do."""

import sys as _sys

import numpy as _np

from pellucid import _modules
from pellucid.keras import image_ops as _image_ops
from pellucid.keras import linalg_ops as _linalg_ops
from pellucid.keras import losses as _losses
from pellucid.keras.activations import celu as celu
from pellucid.keras.activations import elu as elu
from pellucid.keras.activations import glu as glu
from pellucid.keras.activations import hard_shrink as hard_shrink
from pellucid.keras.activations import hard_sigmoid as hard_sigmoid
from pellucid.keras.activations import hard_silu as hard_silu
from pellucid.keras.activations import hard_swish as hard_swish
from pellucid.keras.activations import hard_tanh as hard_tanh
from pellucid.keras.activations import leaky_relu as leaky_relu
from pellucid.keras.activations import log_sigmoid as log_sigmoid
from pellucid.keras.activations import log_softmax as log_softmax
from pellucid.keras.activations import relu as relu
from pellucid.keras.activations import relu6 as relu6
from pellucid.keras.activations import selu as selu
from pellucid.keras.activations import sigmoid as sigmoid
from pellucid.keras.activations import silu as silu
from pellucid.keras.activations import soft_shrink as soft_shrink
from pellucid.keras.activations import softmax as softmax
from pellucid.keras.activations import softplus as softplus
from pellucid.keras.activations import softsign as softsign
from pellucid.keras.activations import sparse_plus as sparse_plus
from pellucid.keras.activations import sparse_sigmoid as sparse_sigmoid
from pellucid.keras.activations import sparsemax as sparsemax
from pellucid.keras.activations import squareplus as squareplus
from pellucid.keras.activations import swish as swish
from pellucid.keras.activations import tanh as tanh
from pellucid.keras.activations import tanh_shrink as tanh_shrink
from pellucid.keras.activations import threshold as threshold
from pellucid.keras.core_ops import *  # noqa: F403 (each is named once, there; so below)
from pellucid.keras.linalg_ops import *  # noqa: F403
from pellucid.keras.math_ops import *  # noqa: F403
from pellucid.keras.nn_ops import *  # noqa: F403
from pellucid.keras.numpy_ops import *  # noqa: F403
from pellucid.keras.tensorflow import argsort as argsort
from pellucid.keras.tensorflow import broadcast_to as broadcast_to
from pellucid.keras.tensorflow import cast as cast
from pellucid.keras.tensorflow import convert_to_tensor as convert_to_tensor
from pellucid.keras.tensorflow import expand_dims as expand_dims
from pellucid.keras.tensorflow import eye as eye
from pellucid.keras.tensorflow import is_tensor as is_tensor
from pellucid.keras.tensorflow import math as _math
from pellucid.keras.tensorflow import meshgrid as meshgrid
from pellucid.keras.tensorflow import ones_like as ones_like
from pellucid.keras.tensorflow import repeat as repeat
from pellucid.keras.tensorflow import reshape as reshape
from pellucid.keras.tensorflow import roll as roll
from pellucid.keras.tensorflow import sort as sort
from pellucid.keras.tensorflow import squeeze as squeeze
from pellucid.keras.tensorflow import stack as stack
from pellucid.keras.tensorflow import tile as tile
from pellucid.keras.tensorflow import transpose as transpose
from pellucid.keras.tensorflow import unstack as unstack
from pellucid.keras.tensorflow import where as where
from pellucid.keras.tensorflow import zeros_like as zeros_like
from pellucid.keras.tensorflow.linalg import trace as trace
from pellucid.keras.tensorflow.math import abs as abs
from pellucid.keras.tensorflow.math import add as add
from pellucid.keras.tensorflow.math import ceil as ceil
from pellucid.keras.tensorflow.math import cos as cos
from pellucid.keras.tensorflow.math import cosh as cosh
from pellucid.keras.tensorflow.math import divide as divide
from pellucid.keras.tensorflow.math import divide_no_nan as divide_no_nan
from pellucid.keras.tensorflow.math import einsum as einsum
from pellucid.keras.tensorflow.math import equal as equal
from pellucid.keras.tensorflow.math import exp as exp
from pellucid.keras.tensorflow.math import expm1 as expm1
from pellucid.keras.tensorflow.math import floor as floor
from pellucid.keras.tensorflow.math import greater as greater
from pellucid.keras.tensorflow.math import greater_equal as greater_equal
from pellucid.keras.tensorflow.math import less as less
from pellucid.keras.tensorflow.math import less_equal as less_equal
from pellucid.keras.tensorflow.math import log as log
from pellucid.keras.tensorflow.math import log1p as log1p
from pellucid.keras.tensorflow.math import logical_and as logical_and
from pellucid.keras.tensorflow.math import logical_not as logical_not
from pellucid.keras.tensorflow.math import logical_or as logical_or
from pellucid.keras.tensorflow.math import matmul as matmul
from pellucid.keras.tensorflow.math import maximum as maximum
from pellucid.keras.tensorflow.math import minimum as minimum
from pellucid.keras.tensorflow.math import mod as mod
from pellucid.keras.tensorflow.math import multiply as multiply
from pellucid.keras.tensorflow.math import negative as negative
from pellucid.keras.tensorflow.math import norm as norm
from pellucid.keras.tensorflow.math import not_equal as not_equal
from pellucid.keras.tensorflow.math import reciprocal as reciprocal
from pellucid.keras.tensorflow.math import round as round
from pellucid.keras.tensorflow.math import rsqrt as rsqrt
from pellucid.keras.tensorflow.math import sign as sign
from pellucid.keras.tensorflow.math import sin as sin
from pellucid.keras.tensorflow.math import sinh as sinh
from pellucid.keras.tensorflow.math import sqrt as sqrt
from pellucid.keras.tensorflow.math import square as square
from pellucid.keras.tensorflow.math import stop_gradient as stop_gradient
from pellucid.keras.tensorflow.math import subtract as subtract
from pellucid.keras.tensorflow.math import tan as tan
from pellucid.keras.tensorflow.math import tensordot as tensordot
from pellucid.keras.tensorflow.math import top_k as top_k
from pellucid.keras.tensorflow.naming import also as _also

# What TensorFlow calls otherwise

image = _image_ops
linalg = _linalg_ops
absolute, all, amax, amin = _math.abs, _math.reduce_all, _math.reduce_max, _math.reduce_min
any, arccos, arcsin, arctan = _math.reduce_any, _math.acos, _math.asin, _math.atan
arctan2, floor_divide, isfinite, isinf = _math.atan2, _math.floordiv, _math.is_finite, _math.is_inf
isnan, logsumexp, max, mean = _math.is_nan, _math.reduce_logsumexp, _math.reduce_max, _math.reduce_mean
min, power, prod, std = _math.reduce_min, _math.pow, _math.reduce_prod, _math.reduce_std
sum, true_divide, var = _math.reduce_sum, _math.divide, _math.reduce_variance

categorical_crossentropy = _also(y_true="target", y_pred="output")(_losses.categorical_crossentropy)
sparse_categorical_crossentropy = _also(y_true="target", y_pred="output")(_losses.sparse_categorical_crossentropy)
vectorize = _np.vectorize

__all__ = _modules.listed(globals())

nn = numpy = _sys.modules[__name__]
"""Keras has some of these names in `ops.nn` and `ops.numpy`, too."""
