"""What is in `tensorflow` itself, a line each, or where a module's names all are, for the module."""

import numpy as _np
from numpy import float16 as float16
from numpy import float32 as float32
from numpy import float64 as float64
from numpy import int8 as int8
from numpy import int16 as int16
from numpy import int32 as int32
from numpy import int64 as int64
from numpy import newaxis as newaxis
from numpy import uint8 as uint8
from numpy import uint16 as uint16

from pellucid import _modules
from pellucid.autodiff import GradientTape as GradientTape
from pellucid.autodiff import Variable as Variable
from pellucid.keras import deferred as _deferred
from pellucid.keras import initializers as initializers
from pellucid.keras import losses as losses
from pellucid.keras import metrics as metrics
from pellucid.keras import optimizers as optimizers
from pellucid.keras.tensorflow import config as config
from pellucid.keras.tensorflow import data as data
from pellucid.keras.tensorflow import distribute as distribute
from pellucid.keras.tensorflow import dtypes as dtypes
from pellucid.keras.tensorflow import experimental as experimental
from pellucid.keras.tensorflow import image as image
from pellucid.keras.tensorflow import io as io
from pellucid.keras.tensorflow import linalg as linalg
from pellucid.keras.tensorflow import math as math
from pellucid.keras.tensorflow import nn as nn
from pellucid.keras.tensorflow import random as random
from pellucid.keras.tensorflow import strings as strings
from pellucid.keras.tensorflow import summary as summary
from pellucid.keras.tensorflow import test as test
from pellucid.keras.tensorflow import train as train
from pellucid.keras.tensorflow.arrays import *  # noqa: F403 (each is named there)
from pellucid.keras.tensorflow.math import abs as abs
from pellucid.keras.tensorflow.math import add as add
from pellucid.keras.tensorflow.math import add_n as add_n
from pellucid.keras.tensorflow.math import argmax as argmax
from pellucid.keras.tensorflow.math import argmin as argmin
from pellucid.keras.tensorflow.math import clip_by_norm as clip_by_norm
from pellucid.keras.tensorflow.math import cos as cos
from pellucid.keras.tensorflow.math import cumsum as cumsum
from pellucid.keras.tensorflow.math import divide as divide
from pellucid.keras.tensorflow.math import einsum as einsum
from pellucid.keras.tensorflow.math import equal as equal
from pellucid.keras.tensorflow.math import exp as exp
from pellucid.keras.tensorflow.math import floor as floor
from pellucid.keras.tensorflow.math import greater as greater
from pellucid.keras.tensorflow.math import greater_equal as greater_equal
from pellucid.keras.tensorflow.math import less as less
from pellucid.keras.tensorflow.math import less_equal as less_equal
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
from pellucid.keras.tensorflow.math import pow as pow
from pellucid.keras.tensorflow.math import reduce_all as reduce_all
from pellucid.keras.tensorflow.math import reduce_any as reduce_any
from pellucid.keras.tensorflow.math import reduce_logsumexp as reduce_logsumexp
from pellucid.keras.tensorflow.math import reduce_max as reduce_max
from pellucid.keras.tensorflow.math import reduce_mean as reduce_mean
from pellucid.keras.tensorflow.math import reduce_min as reduce_min
from pellucid.keras.tensorflow.math import reduce_prod as reduce_prod
from pellucid.keras.tensorflow.math import reduce_sum as reduce_sum
from pellucid.keras.tensorflow.math import round as round
from pellucid.keras.tensorflow.math import sigmoid as sigmoid
from pellucid.keras.tensorflow.math import sign as sign
from pellucid.keras.tensorflow.math import sin as sin
from pellucid.keras.tensorflow.math import sqrt as sqrt
from pellucid.keras.tensorflow.math import square as square
from pellucid.keras.tensorflow.math import stop_gradient as stop_gradient
from pellucid.keras.tensorflow.math import subtract as subtract
from pellucid.keras.tensorflow.math import tan as tan
from pellucid.keras.tensorflow.math import tanh as tanh
from pellucid.keras.tensorflow.math import tensordot as tensordot
from pellucid.keras.tensorflow.module import Module as Module
from pellucid.keras.tensorflow.program import *  # noqa: F403
from pellucid.keras.tensorflow.sessions import ConfigProto as ConfigProto
from pellucid.keras.tensorflow.sessions import GPUOptions as GPUOptions
from pellucid.keras.tensorflow.sessions import InteractiveSession as InteractiveSession
from pellucid.keras.tensorflow.sessions import Session as Session
from pellucid.keras.tensorflow.sessions import global_variables_initializer as global_variables_initializer
from pellucid.keras.tensorflow.sessions import logging as logging
from pellucid.keras.tensorflow.sessions import set_random_seed as set_random_seed

bool, string = _np.bool_, _np.str_
gradients = _deferred.slopes
random_normal, random_uniform = random.normal, random.uniform
ones_initializer, zeros_initializer = initializers.Ones, initializers.Zeros
random_normal_initializer, random_uniform_initializer = initializers.RandomNormal, initializers.RandomUniform
__all__ = _modules.listed(globals())
