"""What single chapters of the book have alone, in their order."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.ops import Array
from pellucid.scratch import filters as drawn
from pellucid.scratch.functions import relu
from pellucid.scratch.layout import of_forward
from pellucid.scratch.losses import cross_entropy_error, softmax

__all__ = [
    "AND", "NAND", "OR", "XOR", "AddLayer", "Man", "MulLayer", "ReLU", "df", "f",
    "filter_show", "img_show", "simpleNet", "tanh",
]  # fmt: skip


class Man:
    """Chapter 1: somebody with a name, who says so. What is printed is the book's, letter by letter."""

    def __init__(self, name: str) -> None:
        self.name = name
        print("Initilized!")

    def hello(self) -> None:
        print(f"Hello {self.name}!")

    def goodbye(self) -> None:
        print(f"Good-bye {self.name}!")


def _fires(x1: float, x2: float, weight: float, bias: float) -> int:
    """Chapter 2: a perceptron answers 1 where its weighted sum, with the bias, is above 0."""
    return int(np.sum(weight * np.array([x1, x2])) + bias > 0)


def AND(x1: float, x2: float) -> int:
    """1 where both are 1."""
    return _fires(x1, x2, 0.5, -0.7)


def NAND(x1: float, x2: float) -> int:
    """1 unless both are 1."""
    return _fires(x1, x2, -0.5, 0.7)


def OR(x1: float, x2: float) -> int:
    """1 where one is 1, or both."""
    return _fires(x1, x2, 0.5, -0.2)


def XOR(x1: float, x2: float) -> int:
    """1 where exactly one is 1: two layers, since no single line separates the cases."""
    return AND(NAND(x1, x2), OR(x1, x2))


def img_show(img: Any) -> None:
    """Chapter 3: shows a picture by Pillow.

    Shapes: img (H,W) or (H,W,3).
    Units: 0 black to 255 white.
    """
    from PIL import Image

    Image.fromarray(np.uint8(img)).show()


class simpleNet:
    """Chapter 4: scores x @ W, with W (2,3) drawn from a normal distribution by np.random.

    Shapes: x (2,) or (N,2) -> (3,) or (N,3); t as for cross_entropy_error.
    """

    def __init__(self) -> None:
        self.W = np.random.randn(2, 3)

    def predict(self, x: Any) -> Array:
        """Scores."""
        return np.asarray(np.dot(x, self.W))

    def loss(self, x: Any, t: Any) -> float:
        """Mean cross-entropy after a softmax."""
        return cross_entropy_error(softmax(self.predict(x)), t)


class MulLayer:
    """Chapter 5: x * y; back come dout * y and dout * x.

    Shapes: numbers, or arrays as NumPy multiplies them.
    """

    def __init__(self) -> None:
        self.x: Any = None
        self.y: Any = None

    def forward(self, x: Any, y: Any) -> Any:
        self.x, self.y = x, y
        return x * y

    def backward(self, dout: Any) -> tuple[Any, Any]:
        """(dx, dy)."""
        x = of_forward(self, self.x)
        return dout * self.y, dout * x


class AddLayer:
    """Chapter 5: x + y; dout comes back on both sides.

    Shapes: numbers, or arrays as NumPy adds them.
    """

    def forward(self, x: Any, y: Any) -> Any:
        return x + y

    def backward(self, dout: Any) -> tuple[Any, Any]:
        """(dx, dy)."""
        return dout * 1, dout * 1


ReLU = relu
"""Chapter 6 calls it so."""


def tanh(x: Any) -> Any:
    """y = tanh(x), in chapter 6.

    Shapes: any.
    """
    return np.tanh(x)


def f(x: Any, y: Any) -> Any:
    """x^2 / 20 + y^2: the long valley on which chapter 6 compares optimizers."""
    return x**2 / 20.0 + y**2


def df(x: Any, y: Any) -> tuple[Any, Any]:
    """(df/dx, df/dy)."""
    return x / 10.0, 2.0 * y


def filter_show(filters: Array, nx: int = 4, show_num: int = 16) -> None:
    """Chapter 7: shows the first show_num filters, or all where there are fewer, nx in a row.

    Shapes: filters (FN,C,FH,FW).
    Errors: as `filters.filter_show`.
    """
    drawn.filter_show(np.asarray(filters)[:show_num], nx)
