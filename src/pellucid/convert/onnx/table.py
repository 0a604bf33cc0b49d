"""Our layers and ONNX's operators: a row each, read in both directions."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid import layers as L
from pellucid.convert.onnx import activation, dense, merging, normalization, rearranging, windows
from pellucid.convert.onnx.writing import Write
from pellucid.layers import Layer


@dataclass(frozen=True)
class Row:
    """Layers of ours and what writes them."""

    ours: tuple[type[Layer], ...]
    write: Write


ROWS = (
    Row((L.Conv2D, L.Conv1D, L.DepthwiseConv2D, L.TableConv2D), windows.write_conv),
    Row((L.SeparableConv2D,), windows.write_separable),
    Row((L.Conv2DTranspose,), windows.write_transposed),
    Row((L.MaxPool2D, L.MaxPool1D, L.AvgPool2D, L.AvgPool1D), windows.write_pool),
    Row((L.Subsampling2D,), windows.write_subsampling),
    Row((L.GlobalAvgPool2D, L.GlobalAvgPool1D, L.GlobalMaxPool2D, L.GlobalMaxPool1D), windows.write_global_pool),
    Row((L.Dense,), dense.write_dense),
    Row((L.RBF,), dense.write_rbf),
    Row((L.Activation, L.ReLU, L.LeakyReLU, L.ELU, L.Sigmoid, L.Tanh, L.ScaledTanh), activation.write_activation),
    Row((L.Softmax,), activation.write_softmax),
    Row((L.PReLU,), activation.write_prelu),
    Row((L.BatchNorm,), normalization.write_batch_norm),
    Row((L.LayerNorm,), normalization.write_layer_norm),
    Row((L.GroupNorm,), normalization.write_group_norm),
    Row((L.LocalResponseNorm,), normalization.write_response_norm),
    Row((L.Add,), merging.write_add),
    Row((L.Multiply,), merging.write_multiply),
    Row((L.Concatenate,), merging.write_concatenate),
    Row((L.Flatten,), rearranging.write_flatten),
    Row((L.Reshape,), rearranging.write_reshape),
    Row((L.Permute,), rearranging.write_permute),
    Row((L.ZeroPadding2D, L.Padding2D), rearranging.write_padding),
    Row((L.Cropping2D,), rearranging.write_cropping),
    Row((L.UpSampling2D,), rearranging.write_upsampling),
    Row((L.Input, L.Dropout, L.SpatialDropout2D, L.GaussianNoise), rearranging.write_nothing),
)

WRITERS: dict[type[Layer], Write] = {layer: row.write for row in ROWS for layer in row.ours}
