"""The code of the book Deep Learning from Scratch, under its own names, on Pellucid's kernels.

Programs of the book, and of pages that teach by it, run untouched under `pellucid run PROGRAM.py`; `book.MODULES` says
what stands for which of their modules. Pictures are (N, C, H, W), layers keep what their backward pass needs, and
random numbers come from np.random: nowhere else in this project. Where the book's code is wrong, this is right, and the
docstring says what differs. `np` is among the names, since the book's programs take it from a star import.

layers.py, losses.py, normalization.py: the layers; functions.py: what they compute; columns.py: im2col and back;
gradient.py: gradients by differences; optimizers.py; trainer.py; network.py: what the networks share;
simple_convnet.py, deep_convnet.py, multi_layer_net.py, two_layer_net.py: the networks; mnist.py: the data; curves.py,
filters.py: pictures; chapters.py, slopes.py, neuralnet_mnist.py, two_layer_net_sigmoid.py: what single chapters have
alone; names too general for the package (`predict`, `f`) are there only.
layout.py: the border between the book's layout and the kernels'; merged.py: three layers as one kernel;
program.py: six as one program.

Source: K. Saitoh, Deep Learning from Scratch, 2016, chapters 1 to 8.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.scratch.chapters import AND, NAND, OR, XOR, AddLayer, Man, MulLayer, ReLU, img_show, simpleNet, tanh
from pellucid.scratch.columns import col2im, conv_output_size, im2col
from pellucid.scratch.curves import shuffle_dataset, smooth_curve
from pellucid.scratch.deep_convnet import DeepConvNet
from pellucid.scratch.filters import filter_show
from pellucid.scratch.functions import (
    identity_function,
    mean_squared_error,
    relu,
    relu_grad,
    sigmoid,
    sigmoid_grad,
    softmax_loss,
    step_function,
    sum_squared_error,
)
from pellucid.scratch.gradient import numerical_gradient, numerical_gradient_2d
from pellucid.scratch.layers import Affine, Convolution, Dropout, Pooling, Relu, Sigmoid
from pellucid.scratch.losses import SoftmaxWithLoss, cross_entropy_error, softmax
from pellucid.scratch.mnist import download_mnist, img_dim, img_size, init_mnist, load_mnist, test_num, train_num
from pellucid.scratch.multi_layer_net import MultiLayerNet, MultiLayerNetExtend
from pellucid.scratch.neuralnet_mnist import init_network
from pellucid.scratch.normalization import BatchNormalization
from pellucid.scratch.optimizers import SGD, AdaGrad, Adam, Momentum, Nesterov, RMSprop
from pellucid.scratch.simple_convnet import SimpleConvNet
from pellucid.scratch.slopes import function_1, function_2, gradient_descent, numerical_diff, tangent_line
from pellucid.scratch.trainer import Trainer
from pellucid.scratch.two_layer_net import TwoLayerNet

__all__ = [
    "AND", "NAND", "OR", "SGD", "XOR", "AdaGrad", "Adam", "AddLayer", "Affine", "BatchNormalization", "Convolution",
    "DeepConvNet", "Dropout", "Man", "Momentum", "MulLayer", "MultiLayerNet", "MultiLayerNetExtend", "Nesterov",
    "Pooling", "RMSprop", "ReLU", "Relu", "Sigmoid", "SimpleConvNet", "SoftmaxWithLoss", "Trainer", "TwoLayerNet",
    "col2im", "conv_output_size", "cross_entropy_error", "download_mnist", "filter_show", "function_1", "function_2",
    "gradient_descent", "identity_function", "im2col", "img_dim", "img_show", "img_size", "init_mnist", "init_network",
    "load_mnist", "mean_squared_error", "np", "numerical_diff", "numerical_gradient", "numerical_gradient_2d", "relu",
    "relu_grad", "shuffle_dataset", "sigmoid", "sigmoid_grad", "simpleNet", "smooth_curve", "softmax", "softmax_loss",
    "step_function", "sum_squared_error", "tangent_line", "tanh", "test_num", "train_num",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Where MNIST lies, which is looked up when it is asked for."""
    from pellucid.scratch import mnist

    if name in mnist.__all__:
        return getattr(mnist, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
