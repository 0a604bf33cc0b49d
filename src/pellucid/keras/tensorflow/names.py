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
from pellucid.autodiff import Tensor as Tensor
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
from pellucid.keras.tensorflow.math import *  # noqa: F403 (some by their names of TensorFlow 1)
from pellucid.keras.tensorflow.module import Module as Module
from pellucid.keras.tensorflow.nn import depth_to_space as depth_to_space
from pellucid.keras.tensorflow.nn import space_to_depth as space_to_depth
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
