"""What goes into a model and what comes out, as Keras's programs ask for it."""

from __future__ import annotations

from typing import Any


class Ends:
    """Where a model begins and ends, as values for other models, and their shapes."""

    build: Any
    graph: Any
    _own_values: Any

    @property
    def input(self) -> Any:
        """What goes in, for another model that begins there; a list where there are several."""
        return _one_or_all(self.inputs)

    @property
    def output(self) -> Any:
        """What comes out, for another model that goes on from there; a list where there are several."""
        return _one_or_all(self.outputs)

    @property
    def inputs(self) -> list[Any]:
        """What goes in, as a list."""
        self.build()
        return list(self._own_values()[0])

    @property
    def outputs(self) -> list[Any]:
        """What comes out, as a list."""
        self.build()
        return [self._own_values()[1][number] for number in self.graph.outputs]

    @property
    def input_shape(self) -> Any:
        """With the batch axis, which is None, as every axis that was left open; a list where several go in."""
        return _one_or_all([value.shape for value in self.inputs])

    @property
    def output_shape(self) -> Any:
        """As `input_shape`, of what comes out."""
        return _one_or_all([value.shape for value in self.outputs])


def _one_or_all(given: list[Any]) -> Any:
    return given if len(given) > 1 else given[0]
