"""Keras 3's operations, of arrays and of a network's values: NumPy's functions, and what layers do."""

import sys as _sys

from pellucid.keras import image_ops as _image_ops
from pellucid.keras import tensorflow as _tf
from pellucid.keras.activations import elu as elu
from pellucid.keras.activations import hard_sigmoid as hard_sigmoid
from pellucid.keras.activations import hard_silu as hard_silu
from pellucid.keras.activations import leaky_relu as leaky_relu
from pellucid.keras.activations import log_softmax as log_softmax
from pellucid.keras.activations import relu as relu
from pellucid.keras.activations import relu6 as relu6
from pellucid.keras.activations import selu as selu
from pellucid.keras.activations import sigmoid as sigmoid
from pellucid.keras.activations import silu as silu
from pellucid.keras.activations import softmax as softmax
from pellucid.keras.activations import softplus as softplus
from pellucid.keras.activations import softsign as softsign
from pellucid.keras.activations import swish as swish
from pellucid.keras.activations import tanh as tanh
from pellucid.keras.functions import arange as arange
from pellucid.keras.functions import arccosh as arccosh
from pellucid.keras.functions import arcsinh as arcsinh
from pellucid.keras.functions import arctanh as arctanh
from pellucid.keras.functions import argmax as argmax
from pellucid.keras.functions import argmin as argmin
from pellucid.keras.functions import array as array
from pellucid.keras.functions import average as average
from pellucid.keras.functions import average_pool as average_pool
from pellucid.keras.functions import binary_crossentropy as binary_crossentropy
from pellucid.keras.functions import bincount as bincount
from pellucid.keras.functions import categorical_crossentropy as categorical_crossentropy
from pellucid.keras.functions import clip as clip
from pellucid.keras.functions import concatenate as concatenate
from pellucid.keras.functions import cond as cond
from pellucid.keras.functions import conv as conv
from pellucid.keras.functions import convert_to_numpy as convert_to_numpy
from pellucid.keras.functions import count_nonzero as count_nonzero
from pellucid.keras.functions import cross as cross
from pellucid.keras.functions import cumprod as cumprod
from pellucid.keras.functions import cumsum as cumsum
from pellucid.keras.functions import diag as diag
from pellucid.keras.functions import diagonal as diagonal
from pellucid.keras.functions import diff as diff
from pellucid.keras.functions import digitize as digitize
from pellucid.keras.functions import dot as dot
from pellucid.keras.functions import fft2 as fft2
from pellucid.keras.functions import flip as flip
from pellucid.keras.functions import full as full
from pellucid.keras.functions import full_like as full_like
from pellucid.keras.functions import gelu as gelu
from pellucid.keras.functions import hstack as hstack
from pellucid.keras.functions import inner as inner
from pellucid.keras.functions import isclose as isclose
from pellucid.keras.functions import kron as kron
from pellucid.keras.functions import linspace as linspace
from pellucid.keras.functions import log2 as log2
from pellucid.keras.functions import log10 as log10
from pellucid.keras.functions import logaddexp as logaddexp
from pellucid.keras.functions import logical_xor as logical_xor
from pellucid.keras.functions import max_pool as max_pool
from pellucid.keras.functions import median as median
from pellucid.keras.functions import moments as moments
from pellucid.keras.functions import moveaxis as moveaxis
from pellucid.keras.functions import nan_to_num as nan_to_num
from pellucid.keras.functions import ndim as ndim
from pellucid.keras.functions import normalize as normalize
from pellucid.keras.functions import one_hot as one_hot
from pellucid.keras.functions import ones as ones
from pellucid.keras.functions import outer as outer
from pellucid.keras.functions import pad as pad
from pellucid.keras.functions import quantile as quantile
from pellucid.keras.functions import ravel as ravel
from pellucid.keras.functions import rot90 as rot90
from pellucid.keras.functions import searchsorted as searchsorted
from pellucid.keras.functions import shape as shape
from pellucid.keras.functions import size as size
from pellucid.keras.functions import slice as slice
from pellucid.keras.functions import slice_update as slice_update
from pellucid.keras.functions import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from pellucid.keras.functions import split as split
from pellucid.keras.functions import swapaxes as swapaxes
from pellucid.keras.functions import take as take
from pellucid.keras.functions import take_along_axis as take_along_axis
from pellucid.keras.functions import tril as tril
from pellucid.keras.functions import triu as triu
from pellucid.keras.functions import trunc as trunc
from pellucid.keras.functions import vdot as vdot
from pellucid.keras.functions import vstack as vstack
from pellucid.keras.functions import zeros as zeros
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

# What TensorFlow calls otherwise

image = _image_ops
depthwise_conv = _tf.nn.depthwise_conv2d
absolute, all, amax, amin = _math.abs, _math.reduce_all, _math.reduce_max, _math.reduce_min
any, arccos, arcsin, arctan = _math.reduce_any, _math.acos, _math.asin, _math.atan
arctan2, floor_divide, isfinite, isinf = _math.atan2, _math.floordiv, _math.is_finite, _math.is_inf
isnan, logsumexp, max, mean = _math.is_nan, _math.reduce_logsumexp, _math.reduce_max, _math.reduce_mean
min, power, prod, std = _math.reduce_min, _math.pow, _math.reduce_prod, _math.reduce_std
sum, true_divide, var = _math.reduce_sum, _math.divide, _math.reduce_variance

__all__ = sorted(name for name in vars() if not name.startswith("_"))

nn = numpy = _sys.modules[__name__]
"""Keras has some of these names in `ops.nn` and `ops.numpy`, too."""
