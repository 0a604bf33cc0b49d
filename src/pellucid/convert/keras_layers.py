"""Keras's layers and ours: one row a layer, read in both directions, by the readers and by the writer.

Ours have Keras's names for arguments and the order of its weights, so that a row says which of them both have. What
Keras has besides must be at the value in NEUTRAL, or changes training alone (TRAINING_ONLY). What Keras has not at all
stands in it under a name registered for Pellucid, and is written in `export/keras_module.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pellucid import layers, ops
from pellucid.convert.keras_values import CONVERTERS, LEAVE, REGISTERED, Converter, converter, keras_object, named
from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.layers import Layer
from pellucid.layers.activation import ACTIVATIONS
from pellucid.layers.older import modern


@dataclass(frozen=True)
class Row:
    """A layer under both names.

    keras: its class in Keras 3, "Pellucid>" in front of one registered for us; classes: what older versions call that.
    arguments: those that both have, under one name. fixed: Keras's arguments that this class of ours stands for.
    """

    keras: str
    ours: type[Layer]
    arguments: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()

    @property
    def registered(self) -> bool:
        """Whether it is no class of Keras's own, but one registered for Pellucid."""
        return self.keras.startswith(REGISTERED)


_WEIGHT = ("initializer", "regularizer", "constraint")
_BIASED = ("activation", "use_bias", *(f"bias_{what}" for what in _WEIGHT))
_KERNEL = (*_BIASED, *(f"kernel_{what}" for what in _WEIGHT))
_DEPTHWISE = (*_BIASED, *(f"depthwise_{what}" for what in _WEIGHT))
_POINTWISE = tuple(f"pointwise_{what}" for what in _WEIGHT)
_OF_ALL = ("type", "name", "trainable", "input_shape")
_RECURRENT = (
    *("units", *_KERNEL, "dropout", "recurrent_dropout", "return_sequences", "return_state", "go_backwards"),
    "zero_output_for_mask",
    *(f"recurrent_{what}" for what in _WEIGHT),
)
SAID = ("use_causal_mask", "return_attention_scores")
"""What ours are told when they are made, and Keras's when they are called."""
_WINDOW = ("kernel_size", "strides", "padding", "dilation_rate")
_POOL = ("pool_size", "strides", "padding")
_NORM = ("axis", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer")
_MOVING = ("moving_mean_initializer", "moving_variance_initializer")

ROWS = (
    Row("Conv2D", layers.Conv2D, ("filters", *_WINDOW, "groups", *_KERNEL), {}, ("Convolution2D",)),
    Row("Conv1D", layers.Conv1D, ("filters", *_WINDOW, "groups", *_KERNEL), {}, ("Convolution1D",)),
    Row("DepthwiseConv2D", layers.DepthwiseConv2D, (*_WINDOW, "depth_multiplier", *_DEPTHWISE)),
    Row("DepthwiseConv1D", layers.DepthwiseConv1D, (*_WINDOW, "depth_multiplier", *_DEPTHWISE)),
    Row(
        "SeparableConv1D",
        layers.SeparableConv1D,
        ("filters", *_WINDOW, "depth_multiplier", *_DEPTHWISE, *_POINTWISE),
        {},
        ("SeparableConvolution1D",),
    ),
    Row("Conv1DTranspose", layers.Conv1DTranspose, ("filters", *_WINDOW, "output_padding", *_KERNEL)),
    Row(
        "SeparableConv2D",
        layers.SeparableConv2D,
        ("filters", *_WINDOW, "depth_multiplier", *_DEPTHWISE, *_POINTWISE),
        {},
        ("SeparableConvolution2D",),
    ),
    Row(
        "Conv2DTranspose",
        layers.Conv2DTranspose,
        ("filters", *_WINDOW, "output_padding", *_KERNEL),
        {},
        ("Convolution2DTranspose", "Deconvolution2D"),
    ),
    Row("Dense", layers.Dense, ("units", *_KERNEL)),
    Row("MaxPooling2D", layers.MaxPool2D, _POOL, {}, ("MaxPool2D",)),
    Row("AveragePooling2D", layers.AvgPool2D, _POOL, {}, ("AvgPool2D",)),
    Row("MaxPooling1D", layers.MaxPool1D, _POOL, {}, ("MaxPool1D",)),
    Row("AveragePooling1D", layers.AvgPool1D, _POOL, {}, ("AvgPool1D",)),
    Row("AdaptiveAveragePooling1D", layers.AdaptiveAvgPool1D, ("output_size",)),
    Row("AdaptiveAveragePooling2D", layers.AdaptiveAvgPool2D, ("output_size",)),
    Row("AdaptiveMaxPooling1D", layers.AdaptiveMaxPool1D, ("output_size",)),
    Row("AdaptiveMaxPooling2D", layers.AdaptiveMaxPool2D, ("output_size",)),
    Row("GlobalMaxPooling2D", layers.GlobalMaxPool2D, ("keepdims",), {}, ("GlobalMaxPool2D",)),
    Row("GlobalAveragePooling2D", layers.GlobalAvgPool2D, ("keepdims",), {}, ("GlobalAvgPool2D",)),
    Row("GlobalMaxPooling1D", layers.GlobalMaxPool1D, ("keepdims",), {}, ("GlobalMaxPool1D",)),
    Row("GlobalAveragePooling1D", layers.GlobalAvgPool1D, ("keepdims",), {}, ("GlobalAvgPool1D",)),
    Row("BatchNormalization", layers.BatchNorm, ("momentum", *_NORM, *_MOVING), {}, ("SyncBatchNormalization",)),
    Row("LayerNormalization", layers.LayerNorm, _NORM),
    Row("GroupNormalization", layers.GroupNorm, ("groups", *_NORM)),
    Row("Activation", layers.Activation, ("activation",)),
    Row("Activation", layers.Sigmoid, (), {"activation": "sigmoid"}),
    Row("Activation", layers.Tanh, (), {"activation": "tanh"}),
    Row("ReLU", layers.ReLU, ("max_value", "negative_slope", "threshold")),
    Row("LeakyReLU", layers.LeakyReLU, ("negative_slope",)),
    Row("ELU", layers.ELU, ("alpha",)),
    Row("PReLU", layers.PReLU, ("alpha_initializer", "shared_axes")),
    Row("Softmax", layers.Softmax, ("axis",)),
    Row("Dropout", layers.Dropout, ("rate",)),
    Row("Dropout", layers.StochasticDepth, ("rate",), {"noise_shape": (None, 1, 1, 1)}),
    Row("AlphaDropout", layers.AlphaDropout, ("rate",)),
    Row("SpatialDropout2D", layers.SpatialDropout2D, ("rate",)),
    Row("SpatialDropout1D", layers.SpatialDropout1D, ("rate",)),
    Row("GaussianNoise", layers.GaussianNoise, ("stddev",)),
    Row("RMSNormalization", layers.RMSNorm, ("axis", "epsilon")),
    Row("UnitNormalization", layers.UnitNormalization, ("axis",)),
    Row("Dot", layers.Dot, ("axes", "normalize")),
    Row("Add", layers.Add),
    Row("Subtract", layers.Subtract),
    Row("Average", layers.Average),
    Row("Maximum", layers.Maximum),
    Row("Minimum", layers.Minimum),
    Row("Multiply", layers.Multiply),
    Row("Concatenate", layers.Concatenate, ("axis",)),
    Row("Rescaling", layers.Rescaling, ("scale", "offset")),
    Row("Normalization", layers.Normalization, ("axis", "mean", "variance", "invert")),
    Row("Resizing", layers.Resizing, ("height", "width", "interpolation", "crop_to_aspect_ratio")),
    Row("CenterCrop", layers.CenterCrop, ("height", "width")),
    Row("RandomFlip", layers.RandomFlip, ("mode",)),
    Row("RandomRotation", layers.RandomRotation, ("factor", "fill_mode")),
    Row("RandomZoom", layers.RandomZoom, ("height_factor", "width_factor", "fill_mode")),
    Row("RandomTranslation", layers.RandomTranslation, ("height_factor", "width_factor", "fill_mode")),
    Row("RandomBrightness", layers.RandomBrightness, ("factor", "value_range")),
    Row("RandomContrast", layers.RandomContrast, ("factor", "value_range")),
    Row("RandomCrop", layers.RandomCrop, ("height", "width")),
    Row("Embedding", layers.Embedding, ("input_dim", "output_dim", *(f"embeddings_{w}" for w in _WEIGHT), "mask_zero")),
    Row("Masking", layers.Masking, ("mask_value",)),
    Row("SimpleRNN", layers.SimpleRNN, _RECURRENT),
    Row("LSTM", layers.LSTM, (*_RECURRENT, "recurrent_activation", "unit_forget_bias")),
    Row("GRU", layers.GRU, (*_RECURRENT, "recurrent_activation", "reset_after")),
    Row("Bidirectional", layers.Bidirectional, ("layer", "backward_layer", "merge_mode")),
    Row("TimeDistributed", layers.TimeDistributed, ("layer",)),
    Row("Attention", layers.Attention, ("use_scale", "score_mode", "dropout")),
    Row("AdditiveAttention", layers.AdditiveAttention, ("use_scale", "dropout")),
    Row(
        "MultiHeadAttention",
        layers.MultiHeadAttention,
        ("num_heads", "key_dim", "value_dim", "dropout", "output_shape", *_KERNEL[1:]),
    ),
    Row("EinsumDense", layers.EinsumDense, ("equation", "output_shape", "bias_axes", "activation", *_KERNEL[2:])),
    Row("Flatten", layers.Flatten),
    Row("Identity", layers.Identity),
    Row("Reshape", layers.Reshape, ("target_shape",)),
    Row("RepeatVector", layers.RepeatVector, ("n",)),
    Row("Permute", layers.Permute, ("dims",)),
    Row("ZeroPadding2D", layers.ZeroPadding2D, ("padding",)),
    Row("Cropping2D", layers.Cropping2D, ("cropping",)),
    Row("ZeroPadding1D", layers.ZeroPadding1D, ("padding",)),
    Row("Cropping1D", layers.Cropping1D, ("cropping",)),
    Row("UpSampling1D", layers.UpSampling1D, ("size",)),
    Row("UpSampling2D", layers.UpSampling2D, ("size", "interpolation")),
    Row(f"{REGISTERED}LocalResponseNorm", layers.LocalResponseNorm, ("size", "alpha", "beta", "k")),
    Row(f"{REGISTERED}Padding2D", layers.Padding2D, ("padding", "mode")),
    Row(f"{REGISTERED}MaxPool2D", layers.MaxPool2D, _POOL),
    Row(f"{REGISTERED}AvgPool2D", layers.AvgPool2D, _POOL),
    Row(f"{REGISTERED}MaxPool1D", layers.MaxPool1D, _POOL),
    Row(f"{REGISTERED}AvgPool1D", layers.AvgPool1D, _POOL),
)
"""Of several rows of a layer the first that can say it counts."""

BY_KERAS: dict[str, Row] = {name: row for row in reversed(ROWS) for name in (row.keras, *row.classes)}
BY_OURS: dict[type[Layer], Row] = {row.ours: row for row in reversed(ROWS)}

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "data_format": ("channels_last", None),
    "axis": (-1,),
    "groups": (1,),
    "dilation_rate": (1, [1], [1, 1]),
    "noise_shape": (None,),
    "activity_regularizer": (None,),
    "kernel_regularizer": (None,),
    "kernel_constraint": (None,),
    "renorm": (False, None),
    "mode": (0,),
    "virtual_batch_size": (None,),
    "adjustment": (None,),
    "mask": (None,),
    "stateful": (False,),
    "time_major": (False,),
    "attention_axes": (None, [1]),
    "sliding_window": (None,),
    "use_gate": (False,),
    "rms_scaling": (False,),
    "antialias": (False,),
    "pad_to_aspect_ratio": (False,),
    "interpolation": ("bilinear",),
    "bounding_box_format": (None,),
}
"""Keras's arguments that ours have not, and the values at which these change nothing."""

TRAINING_ONLY = frozenset(
    {
        *("beta_regularizer", "gamma_regularizer", "alpha_regularizer", "activity_regularizer"),
        *("beta_constraint", "gamma_constraint", "alpha_constraint"),
    }
)
"""Those that act in training alone: what they were is said, and answers are the same without."""

UNREAD = frozenset(
    {
        *("name", "trainable", "dtype", "batch_input_shape", "batch_shape", "input_shape", "input_dtype", "seed"),
        *(
            "kernel_initializer",
            "beta_initializer",
            "gamma_initializer",
            "moving_mean_initializer",
            "moving_variance_initializer",
        ),
        *("renorm_clipping", "renorm_momentum", "synchronized", "fused", "implementation", "sparse", "ragged"),
        *("input_dim", "input_length", "build_config", "quantization_config", "lora_rank", "lora_alpha", "autocast"),
        *("unroll", "use_cudnn", "gptq_unpacked_column_size"),
        *("fill_mode", "fill_value"),
    }
)
"""What a config says besides: read elsewhere, or of no consequence for a network whose weights are there."""

CODE = ("Lambda", "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "TFSMLayer")
"""Layers that hold a program, or stand for one."""


IDENTITY = (
    *("ActivityRegularization", "GaussianDropout"),
    *("RandomBrightness", "RandomContrast", "RandomFlip", "RandomHeight", "RandomRotation", "RandomTranslation"),
    *("RandomWidth", "RandomZoom"),
)
"""Layers that act in training alone; those without a row here, or with arguments that ours have not, are left out."""


def _nonlinearity(name: str) -> Callable[[Mapping[str, Any]], tuple[str, dict[str, Any]]]:
    def layer(config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        own = {"gelu": "gelu_tanh" if config.get("approximate", True) else "gelu"}.get(name, name)
        for given in ("alpha", "threshold", "b"):
            if given in config and config[given] not in ops.ACTIVATIONS.get(name, {}).values():
                raise ConfigError(f"{name} with {given}={shown(config[given])} has no counterpart here")
        if config.get("axis", -1) != -1:
            raise ConfigError(f"axis={shown(config['axis'])} has no counterpart here")
        return "Activation", {"activation": own}

    return layer


OPERATIONS: Mapping[str, Callable[[Mapping[str, Any]], tuple[str, dict[str, Any]]]] = {
    "ops.add": lambda config: ("Add", {}),
    "ops.addv2": lambda config: ("Add", {}),
    "ops.multiply": lambda config: ("Multiply", {}),
    **{
        f"ops.{'exp' if name == 'exponential' else name.replace('_', '')}": _nonlinearity(name)
        for name in ACTIVATIONS
        if name not in ("linear", "leaky_relu", "gelu_tanh", "sparsemax")
    },
    "ops.leakyrelu": lambda config: ("LeakyReLU", {"negative_slope": config.get("negative_slope", 0.2)}),
}
"""Operations in a functional model, x + y and the like: the layer of Keras's that does the same, and its config."""


def inner_of(layer: Any, count: int = 0) -> list[tuple[str, int]]:
    """Where .weights.h5 keeps a layer's weights below its own group, and how many there; "" for the group itself.

    count: of all its weights, where it is not built.
    """
    each = {"Bidirectional": ("forward_layer", "backward_layer"), "TimeDistributed": ("layer",)}
    around = each.get(type(layer).__name__, ())
    if around:
        inner = [(name, getattr(layer, name)) for name in around]
        return [(f"{name}/{path}".rstrip("/"), count) for name, one in inner for path, count in inner_of(one)]
    count = count or len(layer.params) + len(layer.state)
    if layer.role == "recurrent":
        return [("cell", count)]
    if isinstance(layer, layers.MultiHeadAttention):
        return [(f"{name}_dense", 1 + layer.use_bias) for name in ("query", "key", "value", "output")]
    return [("", count)]


def _read_layer(spec: Any) -> Any:
    """A layer within another's config."""
    if spec is None:
        return None
    kind, given = named(spec)
    row = row_of(kind, given)
    config = modern(row.arguments, given)
    arguments, _ = arguments_of(row, config)
    return row.ours(**arguments, name=str(config.get("name", "inner")))


def _write_layer(config: Any) -> Any:
    row, own = config_of(layers.from_config(config))
    return keras_object("keras.layers", row.keras, own)


CONVERTERS["layer"] = Converter(_read_layer, _write_layer)


def row_of(name: str, config: Mapping[str, Any] | None = None) -> Row:
    """The row of Keras's class of this name; of several the one whose `fixed` the config says, where its other rows
    have no such argument. Errors: ConfigError where there is none, Lambda among them."""
    if name in CODE:
        raise ConfigError(f"{name} holds a program, which is not run; write it as layers in Keras, and save again")
    if name not in BY_KERAS:
        raise unknown_name("layer of Keras", name, list(BY_KERAS))
    usual, given = BY_KERAS[name], config or {}
    others = (row for row in ROWS if row.keras == name and row.fixed and row.fixed.keys().isdisjoint(usual.arguments))
    fits = (row for row in others if all(_plain(given.get(key)) == _plain(row.fixed[key]) for key in row.fixed))
    return next(fits, usual)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def arguments_of(row: Row, config: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Our constructor's arguments of a Keras layer's config, under today's names, and what is left out, in words.

    Errors: ConfigError for what would change answers and has no counterpart.
    """
    arguments: dict[str, Any] = {}
    left = []
    for name, value in config.items():
        if name in row.arguments:
            arguments[name] = converter(name).read(value)
            if arguments[name] is LEAVE:
                del arguments[name]
        elif name in UNREAD or any(_same(value, neutral) for neutral in NEUTRAL.get(name, ())):
            continue
        elif name in TRAINING_ONLY:
            left += [] if value is None else [f"{name}={shown(value)}"]
        elif name not in row.fixed:
            raise ConfigError(f"{name}={shown(value)} has no counterpart here")
    return arguments, left


def config_of(layer: Layer) -> tuple[Row, dict[str, Any]]:
    """The row of a layer of ours, and its config in Keras 3.

    Errors: ConfigError for a layer without a row, and an argument that Keras has not.
    """
    ours, beyond = layer.config(), ""
    for row in (row for row in ROWS if row.ours is type(layer)):
        names = [name for name in ours if name not in {*row.arguments, *SAID, *_OF_ALL}]
        left = [name for name in names if ours[name] not in (False, None, *NEUTRAL.get(name, ()))]
        if layer.window() is not None and not (row.registered or isinstance(ours.get("padding", ""), str)):
            left.append("padding")  # Keras pads windows by "valid" and "same" alone
        if not left:
            config: dict[str, Any] = {"name": layer.name, "trainable": layer.trainable, "dtype": "float32", **row.fixed}
            return row, config | {name: converter(name).write(ours[name]) for name in row.arguments}
        beyond = f": {left[0]}={shown(ours[left[0]])}"
    raise ConfigError(f"{layer.place()}{beyond} has no counterpart in Keras")


def _same(value: Any, neutral: Any) -> bool:
    return type(value) is type(neutral) and bool(value == neutral)
