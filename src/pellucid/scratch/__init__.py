"""The code of the book that seed 000 follows, under its own names, on Pellucid's kernels.

Programs of the book run with nothing but their imports changed: `common.layers`, `common.gradient`, `common.optimizer`,
`common.trainer`, `common.util`, `dataset.mnist` and `simple_convnet` all become `pellucid.scratch`. Pictures are
(N, C, H, W), layers keep what their backward pass needs, and random numbers come from np.random: nowhere else in this
project. Where the book's code is wrong, this is right, and the docstring says what differs.

layers.py, losses.py: the layers; columns.py: im2col and back; gradient.py: gradients by differences; optimizers.py;
trainer.py; simple_convnet.py: the network; mnist.py: the data; filters.py: the picture.
layout.py: the border between the book's layout and the kernels'; merged.py: three layers as one kernel;
program.py: six as one program.

Source: K. Saitoh, Deep Learning from Scratch, 2016, chapters 4 to 7.
"""

from __future__ import annotations

from pellucid.scratch.columns import col2im, im2col
from pellucid.scratch.filters import filter_show
from pellucid.scratch.gradient import numerical_gradient
from pellucid.scratch.layers import Affine, Convolution, Dropout, Pooling, Relu, Sigmoid
from pellucid.scratch.losses import SoftmaxWithLoss, cross_entropy_error, softmax
from pellucid.scratch.mnist import load_mnist
from pellucid.scratch.optimizers import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSprop
from pellucid.scratch.simple_convnet import SimpleConvNet
from pellucid.scratch.trainer import Trainer

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "Affine",
    "Convolution",
    "Dropout",
    "Momentum",
    "Nesterov",
    "Pooling",
    "RMSprop",
    "Relu",
    "Sigmoid",
    "SimpleConvNet",
    "SoftmaxWithLoss",
    "Trainer",
    "col2im",
    "cross_entropy_error",
    "filter_show",
    "im2col",
    "load_mnist",
    "numerical_gradient",
    "softmax",
]
