"""The book's deep network: three times two convolutions and a pooling, two Affine layers with dropout."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pellucid.errors import ConfigError
from pellucid.ops import Array
from pellucid.scratch.layers import Affine, Convolution, Dropout, Pooling, Relu
from pellucid.scratch.network import SavedNetwork, drawn, homes
from pellucid.scratch.simple_convnet import conv_settings, convolved, halved

__all__ = ["DeepConvNet"]


def _conv(filter_num: int, pad: int = 1) -> Mapping[str, int]:
    return MappingProxyType({"filter_num": filter_num, "filter_size": 3, "pad": pad, "stride": 1})


_CONV_PARAMS = (_conv(16), _conv(16), _conv(32), _conv(32, pad=2), _conv(64), _conv(64))


class DeepConvNet(SavedNetwork):
    """(conv - relu - conv - relu - pool 2x2) three times, affine - relu - dropout - affine - dropout - softmax.

    `params` holds W1, b1 to W8, b8 in float64, drawn from np.random with He's deviation sqrt(2 / inputs); `layers` the
    twenty layers in order. A pass works in the dtype of x, float32 on the compiled kernels. Dropout stands behind the
    scores too, and `loss` is one in training, both as in the book.

    Differs from the book: weights fit whatever sizes the arguments say (the book's fit pictures of 1x28x28 and its own
    filters alone); `accuracy` counts the last, smaller batch; a pickle is read without running it.

    Shapes: input_dim (C,H,W); W1 to W6 (FN,C,FH,FW), W7 (FN*H*W, hidden_size), W8 (hidden_size, output_size).
    Units: filter_size, pad and stride in pixels.
    Errors: ConfigError or ShapeError for sizes that make no network.
    Source: K. Saitoh, Deep Learning from Scratch, 2016, chapter 8; He et al. 2015, equation 10.
    """

    def __init__(
        self,
        input_dim: Sequence[int] = (1, 28, 28),
        conv_param_1: Mapping[str, int] = _CONV_PARAMS[0],
        conv_param_2: Mapping[str, int] = _CONV_PARAMS[1],
        conv_param_3: Mapping[str, int] = _CONV_PARAMS[2],
        conv_param_4: Mapping[str, int] = _CONV_PARAMS[3],
        conv_param_5: Mapping[str, int] = _CONV_PARAMS[4],
        conv_param_6: Mapping[str, int] = _CONV_PARAMS[5],
        hidden_size: int = 50,
        output_size: int = 10,
    ) -> None:
        if len(input_dim) != 3:
            raise ConfigError(f"input_dim must be (channels, height, width), got {tuple(input_dim)}")
        given = (conv_param_1, conv_param_2, conv_param_3, conv_param_4, conv_param_5, conv_param_6)
        convs = [
            conv_settings(f"conv_param_{number}", conv, default)
            for number, (conv, default) in enumerate(zip(given, _CONV_PARAMS, strict=True), 1)
        ]
        channels, size = input_dim[0], (input_dim[1], input_dim[2])
        shapes: dict[str, tuple[int, ...]] = {}
        for number, conv in enumerate(convs, 1):
            shapes[f"W{number}"] = (conv["filter_num"], channels, conv["filter_size"], conv["filter_size"])
            channels, size = conv["filter_num"], convolved(size, conv)
            if number % 2 == 0:
                size = halved(size)
        shapes["W7"], shapes["W8"] = (channels * math.prod(size), hidden_size), (hidden_size, output_size)
        params = drawn(shapes, "he")

        layers: list[Any] = []
        for number, conv in enumerate(convs, 1):
            weights = params[f"W{number}"], params[f"b{number}"]
            layers += [Convolution(*weights, conv["stride"], conv["pad"]), Relu()]
            if number % 2 == 0:
                layers.append(Pooling(pool_h=2, pool_w=2, stride=2))
        layers += [Affine(params["W7"], params["b7"]), Relu(), Dropout(0.5)]
        layers += [Affine(params["W8"], params["b8"]), Dropout(0.5)]
        weighted = [place for place, layer in enumerate(layers) if isinstance(layer, Convolution | Affine)]
        super().__init__(params, layers, homes(weighted))

    def predict(self, x: Any, train_flg: bool = False) -> Array:
        """Scores (N, output_size), before softmax; with some of them dropped in training."""
        return self._scores(x, train_flg)

    def loss(self, x: Any, t: Any) -> float:
        """Mean cross-entropy of a batch in training."""
        return self.last_layer.forward(self.predict(x, train_flg=True), t)
