"""Modules that torch.nn has not. `pellucid export --to torch` writes their text into its programs."""

import torch
from torch import nn


class Scale(nn.Module):
    """y = weight * x + bias, a number of each a channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight[:, None, None] + self.bias[:, None, None]


class Distance(nn.Module):
    """y[k] = minus the squared distance of x to the point weight[k]."""

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(units, inputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -(x[:, None] - self.weight).square().sum(2)
