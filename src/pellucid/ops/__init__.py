"""All arithmetic: numbers in, numbers out, no state.

Every operation checks its arguments, picks the backend (compiled kernels for float32, the NumPy reference for the
rest) and can say which ran: `backend()`, `backend_of(op, *arrays)`, `recording()`. Pictures are (N, H, W, C),
convolution kernels (KH, KW, C/groups, O), dense kernels (inputs, units). Gradients are named d + what they belong to.
Results go to `out=` where it is given; arrays that are already right are never copied.

geometry: sizes; api: the operations; dispatch: how they are run; reference: the NumPy truth; native: the kernels.
"""

from types import ModuleType as _Module

from pellucid.ops.api.border import INTERPOLATIONS as INTERPOLATIONS
from pellucid.ops.api.border import pad2d as pad2d
from pellucid.ops.api.border import pad2d_backward as pad2d_backward
from pellucid.ops.api.border import upsample2d as upsample2d
from pellucid.ops.api.border import upsample2d_backward as upsample2d_backward
from pellucid.ops.api.border import zero_pad2d as zero_pad2d
from pellucid.ops.api.conv import conv2d as conv2d
from pellucid.ops.api.conv import conv2d_backward_input as conv2d_backward_input
from pellucid.ops.api.conv import conv2d_backward_kernel as conv2d_backward_kernel
from pellucid.ops.api.conv_pool import conv2d_avg_pool2d as conv2d_avg_pool2d
from pellucid.ops.api.conv_pool import conv2d_avg_pool2d_map as conv2d_avg_pool2d_map
from pellucid.ops.api.conv_pool import conv2d_avg_pool2d_map_backward_kernel as conv2d_avg_pool2d_map_backward_kernel
from pellucid.ops.api.conv_pool import conv2d_max_pool2d as conv2d_max_pool2d
from pellucid.ops.api.conv_pool import conv2d_max_pool2d_backward_input as conv2d_max_pool2d_backward_input
from pellucid.ops.api.conv_pool import conv2d_max_pool2d_backward_kernel as conv2d_max_pool2d_backward_kernel
from pellucid.ops.api.data import BORDERS as BORDERS
from pellucid.ops.api.data import DRAWN as DRAWN
from pellucid.ops.api.data import augment as augment
from pellucid.ops.api.data import augment_backward as augment_backward
from pellucid.ops.api.data import concatenate as concatenate
from pellucid.ops.api.data import gather as gather
from pellucid.ops.api.data import multiply as multiply
from pellucid.ops.api.data import multiply_backward as multiply_backward
from pellucid.ops.api.data import permute as permute
from pellucid.ops.api.data import split as split
from pellucid.ops.api.data import swap_axes as swap_axes
from pellucid.ops.api.group_norm import group_norm as group_norm
from pellucid.ops.api.group_norm import group_norm_backward as group_norm_backward
from pellucid.ops.api.group_norm import layer_norm as layer_norm
from pellucid.ops.api.group_norm import layer_norm_backward as layer_norm_backward
from pellucid.ops.api.linear import bias_backward as bias_backward
from pellucid.ops.api.linear import dense as dense
from pellucid.ops.api.linear import dense_backward_input as dense_backward_input
from pellucid.ops.api.linear import dense_backward_kernel as dense_backward_kernel
from pellucid.ops.api.loss import IGNORED as IGNORED
from pellucid.ops.api.loss import NONE_IGNORED as NONE_IGNORED
from pellucid.ops.api.loss import binary_cross_entropy as binary_cross_entropy
from pellucid.ops.api.loss import mean_absolute_error as mean_absolute_error
from pellucid.ops.api.loss import mean_squared_error as mean_squared_error
from pellucid.ops.api.loss import softmax_cross_entropy as softmax_cross_entropy
from pellucid.ops.api.nonlinear import ACTIVATIONS as ACTIVATIONS
from pellucid.ops.api.nonlinear import READ_INPUT as READ_INPUT
from pellucid.ops.api.nonlinear import activation as activation
from pellucid.ops.api.nonlinear import activation_backward as activation_backward
from pellucid.ops.api.nonlinear import activation_gradient as activation_gradient
from pellucid.ops.api.nonlinear import normal_below as normal_below
from pellucid.ops.api.nonlinear import prelu as prelu
from pellucid.ops.api.nonlinear import prelu_backward as prelu_backward
from pellucid.ops.api.nonlinear import softmax as softmax
from pellucid.ops.api.nonlinear import softmax_backward as softmax_backward
from pellucid.ops.api.normalization import batch_norm as batch_norm
from pellucid.ops.api.normalization import batch_norm_backward as batch_norm_backward
from pellucid.ops.api.normalization import batch_norm_inference as batch_norm_inference
from pellucid.ops.api.normalization import local_response_norm as local_response_norm
from pellucid.ops.api.normalization import local_response_norm_backward as local_response_norm_backward
from pellucid.ops.api.optimizer import adadelta_update as adadelta_update
from pellucid.ops.api.optimizer import adagrad_update as adagrad_update
from pellucid.ops.api.optimizer import adam_update as adam_update
from pellucid.ops.api.optimizer import optimizer_update as optimizer_update
from pellucid.ops.api.optimizer import rmsprop_update as rmsprop_update
from pellucid.ops.api.optimizer import sgd_update as sgd_update
from pellucid.ops.api.pool import MAX_POOL_TAPS as MAX_POOL_TAPS
from pellucid.ops.api.pool import avg_pool2d as avg_pool2d
from pellucid.ops.api.pool import avg_pool2d_backward as avg_pool2d_backward
from pellucid.ops.api.pool import global_avg_pool2d as global_avg_pool2d
from pellucid.ops.api.pool import global_avg_pool2d_backward as global_avg_pool2d_backward
from pellucid.ops.api.pool import global_max_pool2d as global_max_pool2d
from pellucid.ops.api.pool import global_max_pool2d_backward as global_max_pool2d_backward
from pellucid.ops.api.pool import max_pool2d as max_pool2d
from pellucid.ops.api.pool import max_pool2d_backward as max_pool2d_backward
from pellucid.ops.api.random import dropout as dropout
from pellucid.ops.api.random import gaussian_noise as gaussian_noise
from pellucid.ops.api.random import spatial_dropout as spatial_dropout
from pellucid.ops.api.random import uniform as uniform
from pellucid.ops.dispatch import Backend as Backend
from pellucid.ops.dispatch import backend as backend
from pellucid.ops.dispatch import backend_of as backend_of
from pellucid.ops.dispatch import num_threads as num_threads
from pellucid.ops.dispatch import recording as recording
from pellucid.ops.dispatch import set_num_threads as set_num_threads
from pellucid.ops.geometry import Array as Array
from pellucid.ops.geometry import Pads as Pads
from pellucid.ops.geometry import Pair as Pair
from pellucid.ops.geometry import Shape as Shape
from pellucid.ops.given import float32_array as float32_array
from pellucid.ops.given import real_array as real_array
from pellucid.ops.given import words_of as words_of
from pellucid.ops.native import choose_direct_convolution as choose_direct_convolution
from pellucid.ops.native import direct_convolution as direct_convolution
from pellucid.ops.native import recomputed as recomputed

__all__ = sorted(name for name, value in vars().items() if name[0] != "_" and not isinstance(value, _Module))
