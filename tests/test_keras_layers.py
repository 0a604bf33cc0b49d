"""The table of Keras's layers and ours: each row there and back, and what is refused."""

from __future__ import annotations

import pytest

from pellucid import ConfigError, layers
from pellucid.convert.keras_layers import BY_KERAS, BY_OURS, ROWS, Row, arguments_of, config_of, row_of
from pellucid.layers import Layer
from pellucid.layers.constraint import MaxNorm
from pellucid.layers.older import modern

NEEDED = {
    "filters": 4, "kernel_size": 3, "units": 5, "rate": 0.25, "stddev": 0.5, "activation": "relu", "dims": (2, 1),
    "target_shape": (2, -1), "height": 4, "width": 5, "axes": -1, "n": 3, "output_size": 3, "start": 1,
    "factor": 0.2, "height_factor": (-0.1, 0.3), "width_factor": 0.1,
    "input_dim": 7, "output_dim": 3, "num_heads": 2, "key_dim": 3, "equation": "abc,cd->abd", "output_shape": 4,
    "layer": layers.LSTM(3),
}  # fmt: skip
WITHOUT = {
    *(
        "Input",
        "Power",
        "RBF",
        "ScaledTanh",
        "Slice",
        "SliceRest",
        "StepMask",
        "StepWeights",
        "Subsampling2D",
        "TableConv2D",
    ),
}
"""Layers of ours that Keras has under no name."""


def example(row: Row) -> Layer:
    """A layer of this row with the arguments that it must have, padding that Keras has not among them."""
    cls, needed = row.ours, {**NEEDED, **({"padding": 1} if row.registered else {})}
    needed |= {"scale": 0.5} if cls is layers.Rescaling else {}
    return cls(**{name: value for name, value in needed.items() if name in BY_OURS[cls].arguments})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.ours.__name__)
def test_a_config_for_keras_is_read_as_the_same_layer(row: Row) -> None:
    layer = example(row)
    found, config = config_of(layer)
    arguments, left = arguments_of(row, modern(row.arguments, config))
    assert found is row
    assert not left
    assert row.ours(**arguments, name=layer.name).config() == layer.config()


def test_every_layer_of_ours_has_a_row_or_none_on_purpose() -> None:
    assert set(layers.LAYERS) == {cls.__name__ for cls in BY_OURS} | WITHOUT


def test_names_of_keras_1_are_read() -> None:
    row = row_of("Convolution2D")
    config = {"nb_filter": 4, "nb_row": 3, "nb_col": 5, "border_mode": "same", "subsample": [2, 1], "bias": False}
    arguments, _ = arguments_of(row, modern(row.arguments, config))
    layer = layers.Conv2D(**arguments)
    assert (layer.filters, layer.kernel_size, layer.padding, layer.strides) == (4, (3, 5), "same", (2, 1))
    assert not layer.use_bias


def test_what_acts_in_training_alone_is_left_out_and_said() -> None:
    _, left = arguments_of(BY_KERAS["PReLU"], {"alpha_constraint": {"class_name": "MaxNorm"}})
    assert left == ["alpha_constraint={'class_name': 'MaxNorm'}"]


def test_constraints_and_penalties_are_written_and_read() -> None:
    layer = layers.Dense(2, kernel_constraint=MaxNorm(3, axis=0), bias_constraint="non_neg", bias_regularizer="l1")
    row, config = config_of(layer)
    assert layers.Dense(**arguments_of(row, config)[0]).config() == layer.config()


@pytest.mark.parametrize(
    ("name", "config", "words"),
    [
        ("Dropout", {"rate": 0.5, "noise_shape": [None, 1]}, "noise_shape"),
        ("SpatialDropout2D", {"rate": 0.5, "data_format": "channels_first"}, "data_format=.* has no counterpart"),
        ("Dense", {"units": 2, "kernel_regularizer": {"class_name": "OrthogonalRegularizer", "config": {}}}, "penalty"),
    ],
)
def test_what_would_change_answers_is_refused(name: str, config: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        arguments_of(row_of(name), config)


@pytest.mark.parametrize(("name", "words"), [("Lambda", "program"), ("ConvLSTM2D", "unknown layer of Keras")])
def test_layers_that_are_not_read(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        row_of(name)
