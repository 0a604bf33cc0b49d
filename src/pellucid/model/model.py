"""Model and Sequential, with Keras's habits. Numbers are computed by plans, training by the trainer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pellucid._arguments import flag, path_of, several
from pellucid._display import Shown
from pellucid._modules import missing
from pellucid._text import printable, say
from pellucid.errors import ConfigError, shown
from pellucid.files.inside import Inside
from pellucid.layers import Input, Layer
from pellucid.layers.graph import INPUT
from pellucid.layers.shape import side_by_side
from pellucid.layers.symbolic import Symbolic, Value, call, calls_behind
from pellucid.model import file as model_file
from pellucid.model.fitting import Fitting
from pellucid.model.network import Network
from pellucid.model.summary import MemorySummary, Summary, memory_of
from pellucid.ops import choose_direct_convolution
from pellucid.ops.geometry import whole


class Model(Fitting, Shown):
    """A network as a graph: layers called on an `Input`, and on what other layers gave.

        inputs = Input((32, 32, 3))
        x = Conv2D(16, 3, padding="same", activation="relu")(inputs)
        x = ReLU()(x + Conv2D(16, 3, padding="same")(x))
        model = Model(inputs, Dense(10, activation="softmax")(GlobalAvgPool2D()(x)))

    Layers stand in the order in which they were called. One that is called twice has the same weights at both places.
    With several inputs, Model([a, b], y), pictures are a list of
    arrays, or a dictionary by the inputs' names. Of several outputs, Model(inputs, [a, b]), `predict` gives a
    list; training, judging and explaining take one.
    Shapes: pictures (N, H, W, C); whole numbers, which must be 0 to 255, are divided by 255 by fit, evaluate and
    predict, floats are left alone.
    Errors: ConfigError for a layer that belongs to another model or a name used twice; ShapeError where layers do not
    fit together, at the layer that does not fit.
    """

    assignable = frozenset(
        {
            "name",
            "seed",
            "class_names",
            "preprocessing",
            "trained_on",
            "exact_convolution",
            "stop_training",
            "labels_in_rows",
        }
    )
    instead: ClassVar[dict[str, str]] = {
        "optimizer": "is chosen by compile(optimizer, loss)",
        "loss": "is chosen by compile(optimizer, loss)",
        "metrics": "are chosen by compile(optimizer, loss, metrics)",
        "layers": "of a Sequential are changed by add(layer) and pop(); another graph is another Model",
        "weights": "are read; write with set_weights([...])",
        "learning_rate": "is the optimizer's: model.optimizer.learning_rate",
        "lr": "is the optimizer's: model.optimizer.learning_rate",
    }

    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        name: str | None = None,
        *,
        seed: int = 0,
        exact_convolution: bool = False,
    ) -> None:
        super().__init__("model" if name is None else name, seed=seed, exact_convolution=exact_convolution)
        given = list(inputs.values()) if isinstance(inputs, Mapping) else inputs
        sources = list(given) if isinstance(given, list | tuple) else [given]
        answers = list(outputs) if isinstance(outputs, list | tuple) and outputs else [outputs]
        if not sources or not all(isinstance(source, Input) for source in sources):
            raise ConfigError(
                f"{self.name}: inputs must be a pellucid.Input((H, W, C)), or a list of such, got {shown(inputs)}"
            )
        self._stand(sources, answers)

    def _stand(self, sources: Sequence[Any], answers: Sequence[Any]) -> None:
        """Make the layers behind these answers this model's own."""
        row, parts = (sources[0], []) if len(sources) == 1 else side_by_side(sources, self.name)
        self.attach(row, ())
        numbers: dict[Symbolic, int] = {row: INPUT}
        for number, part in enumerate(parts):
            self.attach(part, (INPUT,), [row.sizes])
            numbers[sources[number]] = number
        for value in self._calls(answers, sources):
            self._place(value, tuple(numbers[read] for read in value.inputs))
            numbers[value] = len(self.flat_layers) - 1
        self._outputs = tuple(numbers[value] for value in answers)

    def _place(self, value: Value, reads: tuple[int, ...]) -> None:
        """Attach the layer that gives a value."""
        self.attach(value.layer, reads, [read.sizes for read in value.inputs])

    def _calls(self, answers: Sequence[Any], sources: Sequence[Any]) -> list[Value]:
        """What its layers are called on, each after what it reads."""
        return calls_behind(answers, sources, self.name)

    @property
    def reads(self) -> list[list[int]] | None:
        """Of each layer the numbers of those it reads, -1 for the pictures; None where each reads the one before."""
        return [list(node.inputs) for node in self.graph.nodes]

    _nested: Any = None

    @property
    def nested(self) -> Any:
        """Which layers were models of their own, called in it, as a file of Keras's or of `pellucid.keras` says."""
        return self._nested

    def keep_nested(self, nested: Any) -> None:
        """What a file says of them."""
        self._nested = nested

    # Looking and keeping

    def memory(self, batch_size: int = 32) -> MemorySummary:
        """What training and prediction in such batches will take, before they run; with Adam if not compiled."""
        count = whole(batch_size, "batch_size")
        return memory_of(
            self.graph,
            self.parameters,
            batch_size=count,
            optimizer=self._optimizer,
            loss=self._loss,
        )

    def summary_data(self, batch_size: int = 32) -> dict[str, Any]:
        """The summary as plain data."""
        return {**self.outline().to_json(), "memory": self.memory(batch_size).to_json()}

    def summary(self, print_fn: Callable[[str], object] = say, *, batch_size: int = 32) -> None:
        """Print the table of layers: output shape, kernel, parameters, MACs, receptive field, memory."""
        if not callable(print_fn):
            raise ConfigError(f"summary: print_fn must be a function of a text, got {shown(print_fn)}")
        try:  # which is of training, too
            memory = "" if len(self.graph.outputs) > 1 else f"\n{self.memory(batch_size)}"
        except ConfigError as error:  # they are more than there is
            memory = f"\n{error}"
        print_fn(f"{printable(self.name)}\n{self._table()}{memory}")

    def _table(self) -> Summary:
        """What `summary` prints of its layers."""
        return self.outline()

    def save(self, path: str | Path | Inside) -> None:
        """Write the model file, NAME.safetensors; `pellucid.load` reads it back. NAME.keras and NAME.onnx are written
        for Keras and ONNX, see `pellucid.export`.

        Errors: CheckpointError for a name that ends in anything else, and for what cannot be written.
        """
        model_file.save(self, path if isinstance(path, Inside) else path_of(path, "save: path"))

    def facts(self) -> dict[str, Any]:
        """All that a file keeps of it but the tensors."""
        return model_file.facts_of(self)

    # Inside

    def as_read(self) -> None:
        """What a class of one's own does with a network that was read from a file and is of this class from now on."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing(f"{type(self).__name__!r} object", name, self)

    def __repr__(self) -> str:
        count = f"{len(self.flat_layers)} layer{'s' * (len(self.flat_layers) != 1)}"
        if not self.built:
            return f"<{type(self).__name__} {self.name!r}: {count}, not built>"
        shapes = {visit.number: visit.output_shape for visit in self.graph.walk()}
        answers = (shapes[number] for number in self.graph.outputs)
        out = " and ".join(str(shape[0] if len(shape) == 1 else shape) for shape in answers)
        numbers = f"{self.count_params():,} parameters"
        return f"<{type(self).__name__} {self.name!r}: {count}, {self.graph.input_shape} -> {out}, {numbers}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """A model pickles as its file, and beside it the optimizer's moments, so that training goes on alike.

        Classes of one's own go along, too, and must be found by their names.
        """
        own = {type(layer).__name__: type(layer) for layer in self.flat_layers if layer.custom}
        kind = None if type(self) is Sequential else type(self)
        chosen = (self._optimizer, self._loss)
        compiled = chosen if model_file.own_of({"compiled": self.compiled_config()}) else None
        for cls in (*own.values(), *((kind,) if kind else ()), *(map(type, chosen) if compiled else ())):
            if "<locals>" in cls.__qualname__:
                raise ConfigError(f"{self.name} cannot be pickled: define {cls.__name__} at the top of a module")
        more = {name: value for name, value in vars(self).items() if name not in vars(Sequential())}
        self.build()
        with self.turns.taken():
            data = model_file.to_bytes(self)
            more["optimizer_state"] = copy.deepcopy(self.optimizer_state)
        return model_file.from_bytes, (data, own, kind, compiled), more


class Sequential(Model):
    """Layers in a row: each takes what the one before gives.

        model = Sequential([Conv2D(30, 5, activation="relu", input_shape=(28, 28, 1)), MaxPool2D(), Flatten(),
                            Dense(10, activation="softmax")])
        model.compile("adam", "categorical_crossentropy")
        model.fit(images, labels, batch_size=100, epochs=3)

    Shapes: pictures (N, H, W, C); whole numbers, which must be 0 to 255, are divided by 255 by fit, evaluate and
    predict, floats are left alone.
    Errors: ConfigError for a layer that belongs to another model or a name used twice; ShapeError where layers do not
    fit together, at the layer that does not fit.
    """

    def __init__(
        self,
        layers: Sequence[Layer] | None = None,
        name: str | None = None,
        *,
        seed: int = 0,
        exact_convolution: bool = False,
    ) -> None:
        name = "sequential" if name is None else name
        Network.__init__(self, name, seed=seed, exact_convolution=exact_convolution)
        for layer in () if layers is None else several(layers, f"{type(self).__name__}: layers"):
            self.add(layer)

    @property
    def reads(self) -> None:
        """None: each layer reads the one before."""

    def add(self, layer: Layer) -> None:
        """Put a layer at the end; it is built at once where the input's shape is known.

        Errors: ConfigError while another thread trains, and for a layer that stands in it already.
        """
        if any(layer is other for other in self.flat_layers):
            raise ConfigError(
                f"{self.name} has the layer {layer.name!r} already; make a new one, or call it twice on values of a "
                "pellucid.Model, where it has the same weights at both places"
            )
        self.attach(layer, (len(self.flat_layers) - 1,))
        if isinstance(layer, Layer) and layer.behind is not None:
            self.attach(layer.behind, (len(self.flat_layers) - 1,))

    def pop(self) -> Layer:
        """Take the last layer off and return it, with its weights. Errors: ConfigError while another thread trains."""
        return self.detach()


def assemble(
    input_shape: Sequence[int],
    layers: Sequence[Layer],
    reads: Sequence[Sequence[int]] | None,
    name: str,
    *,
    outputs: Sequence[int] = (),
    seed: int = 0,
    exact_convolution: bool = False,
    input_name: str | None = None,
) -> Model:
    """A network of these layers. reads: as `Model.reads`. outputs: the numbers of those that answer; none for the last.

    Errors: as `Model` and `Sequential`.
    """
    inputs = Input(input_shape, name=input_name)
    if reads is None:
        return Sequential([inputs, *layers], name, seed=seed, exact_convolution=exact_convolution)
    values: dict[int, Symbolic] = {INPUT: inputs}
    for number, (layer, read) in enumerate(zip(layers, reads, strict=True)):
        values[number] = call(layer, [values[i] for i in read])  # a row of several values stays one
    answers = [values[i] for i in outputs or (len(layers) - 1,)]
    return Model(inputs, answers, name, seed=seed, exact_convolution=exact_convolution)


def set_exact_convolution(model: Model | bool, exact: bool = True) -> None:
    """Compute the convolutions of a model directly, or by Winograd's algorithm where that is faster (exact=False).

    set_exact_convolution(True), without a model: of every model from now on, whatever it says itself, until
    set_exact_convolution(False); a training that runs already goes on as it began.
    Errors: ConfigError for what is neither a model nor True or False.
    """
    if isinstance(model, Model):
        model.exact_convolution = exact
    else:
        choose_direct_convolution(flag(model, "exact_convolution"))
