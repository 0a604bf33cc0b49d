"""PyTorch as an engine: the same network as a `torch.nn.Module`, on the CPU or a GPU.

table.py: what each layer is there, a row each, with activations.py; layout.py and state.py: how its arrays lie and are
called; expression.py, network.py, batch_norm.py: the module; weights.py, update.py, loss.py, plans.py: training;
shards.py: by several processes; device.py, replay.py: where, and how it launches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pellucid._modules import optional

if TYPE_CHECKING:
    from pellucid.layers.graph import Graph

__all__ = ["module"]


class Built(Protocol):
    """A model, as far as it is asked for its layers."""

    @property
    def graph(self) -> Graph: ...


def module(model: Built) -> Any:
    """The network as a `torch.nn.Module` with the same weights, in use: `train()` makes it learn.

    Its state dict has the names that `pellucid export --to torch` writes, so `pellucid import` reads it back. The
    running variance of batch norm is kept as Keras does; dropout draws by PyTorch's generator.
    Shapes: pictures as the network gets them, scaled, (N, C, H, W) in any memory format, or series (N, C, W) ->
        answers, channels first likewise; a list of such for several outputs.
    Errors: ConfigError where PyTorch is not installed, and for a layer that it has nothing like.
    """
    optional("torch", "torch", "pellucid.engines.torch")
    from pellucid.engines.torch.network import Network

    return Network(model.graph).eval()
