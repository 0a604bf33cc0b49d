"""Gradients of what is calculated: a `Tensor` is an array that remembers what it is made of while a tape runs.

tensor.py: the array, and what is remembered of it; rules.py and matrices.py: the gradient of each function of
NumPy's; tape.py: the way
back; variable.py: arrays that are trained.
"""

from pellucid.autodiff import matrices as matrices
from pellucid.autodiff.tape import GradientTape as GradientTape
from pellucid.autodiff.tape import gradients as gradients
from pellucid.autodiff.tensor import Dimensions as Dimensions
from pellucid.autodiff.tensor import Node as Node
from pellucid.autodiff.tensor import Tensor as Tensor
from pellucid.autodiff.tensor import calculated as calculated
from pellucid.autodiff.tensor import is_recording as is_recording
from pellucid.autodiff.tensor import node_of as node_of
from pellucid.autodiff.tensor import recorded as recorded
from pellucid.autodiff.tensor import recording as recording
from pellucid.autodiff.tensor import tensor as tensor
from pellucid.autodiff.variable import Variable as Variable
