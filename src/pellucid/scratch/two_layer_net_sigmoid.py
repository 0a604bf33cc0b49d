"""Chapter 4's network of two layers, which answers with probabilities."""

from __future__ import annotations

from typing import Any

from pellucid.ops import Array
from pellucid.scratch import two_layer_net
from pellucid.scratch.layers import Sigmoid
from pellucid.scratch.losses import cross_entropy_error, softmax

__all__ = ["TwoLayerNet"]


class TwoLayerNet(two_layer_net.TwoLayerNet):
    """affine - sigmoid - affine - softmax; `predict` gives probabilities.

    The rest is as chapter 5's. Differs from the book: labels (N,) are taken too, where its `gradient` and `accuracy`
    need one-hot rows; and the gradient comes through layers, which this chapter has not yet.

    Shapes: x (N,input_size) -> (N,output_size).
    Errors: ConfigError for a size below 1.
    Source: K. Saitoh, Deep Learning from Scratch, 2016, chapter 4.
    """

    def _activation(self) -> Any:
        return Sigmoid()

    def predict(self, x: Any) -> Array:
        """Probabilities (N, output_size)."""
        return softmax(super().predict(x))

    def loss(self, x: Any, t: Any) -> float:
        """Mean cross-entropy of a batch."""
        return cross_entropy_error(self.predict(x), t)

    def _training_loss(self, x: Any, t: Any) -> float:
        return self.last_layer.forward(super().predict(x), t)
