"""Chapter 5's network of two Affine layers."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from pellucid.scratch.layers import Affine, Relu
from pellucid.scratch.losses import SoftmaxWithLoss
from pellucid.scratch.network import PlainNetwork, drawn, homes

__all__ = ["TwoLayerNet"]


class TwoLayerNet(PlainNetwork):
    """affine - relu - affine - softmax.

    `params` holds W1, b1, W2, b2 in float64, drawn from np.random as the book draws them; `layers` Affine1, Relu1 and
    Affine2; `lastLayer` is the loss, `last_layer` by another name. Passes are in float64, as NumPy has them for such
    weights. Chapter 4's network of this name has a sigmoid: `pellucid.scratch.two_layer_net_sigmoid`.

    Shapes: x (N,input_size); W1 (input_size, hidden_size), W2 (hidden_size, output_size).
    Errors: ConfigError for a size below 1.
    Source: K. Saitoh, Deep Learning from Scratch, 2016, chapter 5.
    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int, weight_init_std: float = 0.01) -> None:
        params = drawn({"W1": (input_size, hidden_size), "W2": (hidden_size, output_size)}, weight_init_std)
        W1, b1, W2, b2 = params.values()
        between = self._activation()
        layers: OrderedDict[str, Any] = OrderedDict(Affine1=Affine(W1, b1))
        layers[f"{type(between).__name__}1"], layers["Affine2"] = between, Affine(W2, b2)
        super().__init__(params, layers, homes(("Affine1", "Affine2")))

    @property
    def lastLayer(self) -> SoftmaxWithLoss:
        """The loss."""
        return self.last_layer

    @lastLayer.setter
    def lastLayer(self, layer: SoftmaxWithLoss) -> None:
        self.last_layer = layer

    def _activation(self) -> Any:
        return Relu()
