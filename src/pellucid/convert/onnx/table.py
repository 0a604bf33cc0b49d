"""Our layers and ONNX's operators: a row each, read in both directions."""

from __future__ import annotations

from dataclasses import dataclass

from pellucid import layers as L
from pellucid.convert.onnx import activation, dense, length, merging, normalization, rearranging, resizing, windows
from pellucid.convert.onnx.reading import Read
from pellucid.convert.onnx.writing import Write
from pellucid.layers import Layer


@dataclass(frozen=True)
class Row:
    """Layers of ours and what writes them; the operators that say the same, and what reads those.

    Either may be missing: ours that are written as several nodes, and operators that several layers make up for.
    """

    ours: tuple[type[Layer], ...] = ()
    write: Write | None = None
    operators: tuple[str, ...] = ()
    read: Read | None = None


_CONVOLUTIONS = (L.Conv2D, L.Conv1D, L.DepthwiseConv2D, L.DepthwiseConv1D, L.TableConv2D)
_POOLS = (L.MaxPool2D, L.MaxPool1D, L.AvgPool2D, L.AvgPool1D)
_GLOBAL_POOLS = (L.GlobalAvgPool2D, L.GlobalAvgPool1D, L.GlobalMaxPool2D, L.GlobalMaxPool1D)
_ACTIVATIONS = (L.Activation, L.ReLU, L.LeakyReLU, L.ELU, L.Sigmoid, L.Tanh, L.ScaledTanh)
_RANDOM = (L.RandomFlip, L.RandomRotation, L.RandomZoom, L.RandomTranslation, L.RandomBrightness, L.RandomContrast)
_TRAINING_ALONE = (
    L.Input,
    L.Identity,
    L.AlphaDropout,
    L.Dropout,
    L.SpatialDropout1D,
    L.SpatialDropout2D,
    L.StochasticDepth,
    L.GaussianNoise,
    *_RANDOM,
)

ROWS = (
    Row(_CONVOLUTIONS, windows.write_conv, ("Conv",), windows.read_conv),
    Row((L.SeparableConv2D, L.SeparableConv1D), windows.write_separable),
    Row((L.Conv2DTranspose, L.Conv1DTranspose), windows.write_transposed, ("ConvTranspose",), windows.read_transposed),
    Row(_POOLS, windows.write_pool, ("MaxPool", "AveragePool"), windows.read_pool),
    Row((L.Subsampling2D,), windows.write_subsampling),
    Row(
        _GLOBAL_POOLS,
        windows.write_global_pool,
        ("GlobalMaxPool", "GlobalAveragePool"),
        windows.read_global_pool,
    ),
    Row((), None, windows.REDUCTIONS, windows.read_reduced),
    Row((L.Dense,), dense.write_dense, ("Gemm",), dense.read_gemm),
    Row((), None, ("MatMul",), dense.read_matmul),
    Row((L.RBF,), dense.write_rbf),
    Row(_ACTIVATIONS, activation.write_activation, tuple(activation.OURS), activation.read_activation),
    Row((), None, ("Clip",), activation.read_clip),
    Row((), None, ("ThresholdedRelu",), activation.read_thresholded),
    Row((), None, ("Celu",), activation.read_celu),
    Row((), None, ("Shrink",), activation.read_shrink),
    Row((), None, ("Neg",), lambda reader, node: reader.scaled(node.held(), -1.0, 0.0)),
    Row((L.Softmax,), activation.write_softmax, ("Softmax", "LogSoftmax"), activation.read_softmax),
    Row((), None, ("Log",), activation.read_log),
    Row((), None, ("Abs",), activation.read_absolute),
    Row((L.Power,), activation.write_power, ("Pow", "Sqrt", "Reciprocal"), activation.read_power),
    Row((L.PReLU,), activation.write_prelu, ("PRelu",), activation.read_prelu),
    Row((L.BatchNorm,), normalization.write_batch_norm, ("BatchNormalization",), normalization.read_batch_norm),
    Row((L.LayerNorm,), normalization.write_layer_norm, ("LayerNormalization",), normalization.read_layer_norm),
    Row((L.GroupNorm,), normalization.write_group_norm, ("GroupNormalization",), normalization.read_group_norm),
    Row((), None, ("InstanceNormalization",), normalization.read_instance_norm),
    Row((L.UnitNormalization,), length.write_unit),
    Row((L.RMSNorm,), length.write_rms_norm),
    Row((L.Dot,), length.write_dot),
    Row((L.LocalResponseNorm,), normalization.write_response_norm, ("LRN",), normalization.read_response_norm),
    Row((L.Rescaling, L.Normalization), merging.write_affine),
    Row((L.Add,), merging.merging("Sum"), ("Add", "Sum"), merging.read_sum),
    Row((L.Subtract,), merging.merging("Sub"), ("Sub",), merging.read_sum),
    Row((L.Average,), merging.merging("Mean"), ("Mean",), merging.read_sum),
    Row((L.Maximum,), merging.merging("Max"), ("Max",), activation.read_extreme),
    Row((L.Minimum,), merging.merging("Min"), ("Min",), activation.read_extreme),
    Row((L.Multiply,), merging.write_multiply, ("Mul", "Div"), merging.read_product),
    Row((L.Concatenate,), merging.write_concatenate, ("Concat",), merging.read_concatenate),
    Row((L.Flatten,), rearranging.write_flatten, ("Flatten",), rearranging.read_flatten),
    Row((L.Reshape,), rearranging.write_reshape, ("Reshape",), rearranging.read_reshape),
    Row((L.Slice,), rearranging.write_slice),
    Row((L.Permute,), rearranging.write_permute, ("Transpose",), rearranging.read_transpose),
    Row((), None, ("Squeeze",), rearranging.read_squeeze),
    Row((), None, ("Unsqueeze",), rearranging.read_unsqueeze),
    Row((), None, ("Expand", "Tile"), rearranging.read_repeated),
    Row((L.ZeroPadding2D, L.Padding2D), rearranging.write_padding, ("Pad",), rearranging.read_pad),
    Row((L.Cropping2D,), rearranging.write_cropping, ("Slice",), rearranging.read_slice),
    Row((), None, ("Split",), rearranging.read_split),
    Row((), None, ("Gather",), rearranging.read_gather),
    Row((), None, ("DepthToSpace", "SpaceToDepth"), rearranging.read_depth_to_space),
    Row((L.UpSampling2D,), rearranging.write_upsampling, ("Resize", "Upsample"), resizing.read_resize),
    Row((L.ZeroPadding1D,), rearranging.write_series_padding),
    Row((L.Cropping1D,), rearranging.write_series_cropping),
    Row((L.RepeatVector,), rearranging.write_repeated),
    Row((L.UpSampling1D,), rearranging.write_series_upsampling),
    Row((L.Resizing, L.CenterCrop, L.RandomCrop, L.AdaptiveAvgPool2D), rearranging.write_cut),
    Row(_TRAINING_ALONE, rearranging.write_nothing, ("Identity", "Dropout", "Cast"), rearranging.read_nothing),
)

WRITERS: dict[type[Layer], Write] = {layer: row.write for row in ROWS if row.write for layer in row.ours}
READERS: dict[str, Read] = {operator: row.read for row in ROWS if row.read for operator in row.operators}
