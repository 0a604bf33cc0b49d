"""Model and Sequential as Keras has them: pictures are never scaled, layers and models stand in several models."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

import pellucid.model.model as ours
from pellucid import layers
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.keras.composed import CallOf, called
from pellucid.keras.described import is_keras, network
from pellucid.keras.ends import Ends
from pellucid.keras.hearing import hearing
from pellucid.keras.inner import adopt, unowned
from pellucid.keras.listed import Listed
from pellucid.keras.nesting import Call, auto_name, rows_of, within
from pellucid.keras.older import Older, renamed
from pellucid.keras.registered import registered
from pellucid.keras.seeds import next_seed
from pellucid.keras.steps import Steps
from pellucid.keras.tensor import InputLayer, batch_of, tensor, traced
from pellucid.keras.weights import Weighted
from pellucid.layers import Layer
from pellucid.layers.eager import drawn_at_random, within_pass
from pellucid.layers.graph import INPUT
from pellucid.layers.stack import at_node
from pellucid.layers.symbolic import Value, call, is_symbolic
from pellucid.model.network import Network
from pellucid.model.pictures import as_rows, in_order
from pellucid.model.streams import answers_for, is_stream
from pellucid.model.summary import Summary
from pellucid.ops.geometry import whole
from pellucid.train import History


class Model(Ends, Listed, Weighted, Steps, Older, ours.Model):  # type: ignore[misc]  # Keras calls the path of save otherwise
    """A network as Keras makes one: `Model(inputs, outputs)`, or a class of one's own whose `call(x)` calls layers.

    Pictures come to the first layer as they are, bytes too. A layer, or a whole model, may stand in several models,
    which have its weights in common; a layer with weights stands in each of them once.
    Errors: ConfigError and ShapeError as of `pellucid.Model`.
    """

    shares = True
    cuts_labels = holds_out_last = True
    _waiting: Sequence[Any] = ()
    _trained: tuple[bool, ...] = ()
    """Of each layer whether it was to be trained when `compile` was called."""
    _keys: tuple[str, ...] | None = None
    _untraced = False
    _expands = False
    """Whether `summary` shows what models within it are made of."""
    call: Any = None
    """What a class of one's own writes: of symbolic values, what its layers give for them."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return object.__new__(Functional if cls is Model else cls)

    @renamed(input="inputs", output="outputs")
    def __init__(
        self, inputs: Any = None, outputs: Any = None, name: str | None = None, trainable: bool = True
    ) -> None:
        given = name or auto_name(type(self).__name__)
        self._keys = tuple(outputs) if isinstance(outputs, Mapping) else None
        outputs = list(outputs.values()) if isinstance(outputs, Mapping) else outputs
        if outputs is None:
            if inputs is not None or type(self) is Functional:
                raise ConfigError(f"{given}: give inputs and outputs, or write call(self, inputs) from layers")
            Network.__init__(self, given, seed=next_seed(), exact_convolution=False)
        else:
            several = isinstance(outputs, list | tuple)  # an input may be among them: its layer's output, as any
            inner = [
                each if isinstance(each, Value) or not is_symbolic(each) else layers.Identity()(each)
                for each in _as_list(outputs)
            ]
            ours.Model.__init__(self, inputs, inner if several else inner[0], given, seed=next_seed())
        self.preprocessing = Preprocessing(scale=1.0)
        if not trainable:
            self.trainable = False

    # A network whose layers are known when its input's shape is

    def _build(self, input_shape: Sequence[int | None] | None) -> None:
        if not self.flat_layers and input_shape is not None and callable(self.call):
            if isinstance(input_shape, Mapping) or isinstance(input_shape[0], list | tuple):
                self._build_for_several(input_shape)
                return
            given = list(input_shape)
            source = InputLayer(given[1:] if given and given[0] is None else given)
            try:
                self._stand([source], _as_list(traced(self.call, source)))
            except Exception:  # whatever it does with values that have no numbers yet, it is one layer of its own then
                self._clear()
                self._stand([source], [call(CallOf(self), source)])
        else:
            super()._build(input_shape)

    def _build_for_several(self, shapes: Any) -> None:
        """For several inputs: a list of their shapes, with the batch axis, or a dictionary by their names."""
        if isinstance(shapes, Mapping):
            named = {name: InputLayer(shape[1:], name=name) for name, shape in shapes.items()}
            self._stand(list(named.values()), _as_list(traced(self.call, named)))
        else:
            sources = [InputLayer(shape[1:]) for shape in shapes]
            self._stand(sources, _as_list(traced(self.call, sources)))

    def _clear(self) -> None:
        """Let go of what was traced so far."""
        while self._layers:
            self.detach()
        self._input_shape = None

    @property
    def waits_for_pictures(self) -> bool:
        return bool(self.flat_layers) or callable(self.call)

    def take_shape_of(self, x: Any) -> None:
        free, now = self.__dict__.get("_free", ()), self._input_shape
        if not any(free) or now is None:
            return
        shape = tuple(np.shape(x)[1:]) if isinstance(x, list) else tuple(x.shape[1:])
        if len(now) != len(shape) or now == shape:
            return
        if all(a == b or either for a, b, either in zip(now, shape, free, strict=True)):
            self._input_shape, self._graph = tuple(int(size) for size in shape), None
            self._predictor.forget()
            self.touch()

    def __call__(self, x: Any, *args: Any, training: Any = None, mask: Any = None, **kwargs: Any) -> Any:
        """What comes out for an array, or for a value of another network, which gets these layers in it.

        More arguments are for a `call` of one's own; without one, the second is training.
        Shapes: arrays (N, H, W, C), of any real dtype.
        """
        own = callable(self.call)
        if not own and (len(args) > 1 or kwargs):
            raise ConfigError(f"{self.name} takes x, training and mask, got {shown([*args, *kwargs])} as well")
        if args and not own:
            training, args = args[0], ()
        if args or kwargs:
            return self._by_its_call(x, training, *args, **kwargs)
        if is_symbolic(x):
            return self._within(x, training)
        if own and (not self._traces(x) or isinstance(self.flat_layers[0], CallOf)):
            return self._by_its_call(x, training)
        several = in_order(self, x) if self.built else None
        if several is not None:
            given = self._begun([batch_of(one) for one in several])
            return self._run(given, training)
        batch = batch_of(as_rows(self, x))
        if self._changes_pictures():
            for layer in [*self.flat_layers, *self._waiting]:
                batch = layer(batch, drawn_at_random(), training=training)
            return tensor(batch)
        if not self.built:
            self.build(batch.shape[1:])
        self.take_shape_of(batch)
        if tuple(batch.shape[1:]) != tuple(self.graph.input_shape):
            if own:  # which may make another shape of it
                return self._by_its_call(x, training)
            raise ShapeError(f"{self.name} takes (N, {', '.join(map(str, self.graph.input_shape))}), got {batch.shape}")
        return self._run(batch, training)

    def _run(self, given: Any, training: Any) -> Any:
        """What its layers give for arrays; in use none draws, also of those that do unless they are told so."""
        with within_pass(training, drawn_at_random) as around:
            told = None if around.training else False
            return self._keyed(self.graph.run(given, lambda number, layer, read: tensor(at_node(layer, read, told))))

    def _by_its_call(self, x: Any, training: Any, *args: Any, **kwargs: Any) -> Any:
        with within_pass(training, drawn_at_random):
            return called(self.call, x, training, *args, **kwargs)

    def _keyed(self, answers: Any) -> Any:
        """Several answers by the names under which `outputs` were given, where that was so."""
        return answers if self._keys is None else dict(zip(self._keys, _as_list(answers), strict=True))

    def _traces(self, x: Any) -> bool:
        """Whether its `call` is a network of layers, built for these arrays; else it is called on each batch."""
        if not self.flat_layers and not self._untraced and not isinstance(x, list | tuple | Mapping) and np.ndim(x) > 1:
            with contextlib.suppress(Exception):  # whose reason the call itself will say
                self.build(np.shape(x)[1:])
            self._untraced = not self.flat_layers
        return bool(self.flat_layers)

    def _changes_pictures(self) -> bool:
        """Whether it is a row of layers that take one picture or many, of any size."""
        return False

    def _within(self, x: Any, training: Any) -> Any:
        given = _as_list(x)
        if not self.flat_layers and callable(self.call):
            with within(Call(self)):
                try:
                    return traced(self.call, x)
                except Exception:  # as in `_build`
                    return call(CallOf(self), x)
        if not self.built:
            self.build(given[0].sizes)
        self.take_shape_of(np.empty((0, *given[0].sizes)))
        self._own_values()  # before those in another network
        with within(Call(self)):
            return self.graph.answers(self.recalled(self._begun(given), training))

    # Training and judging

    @renamed(nb_epoch="epochs")
    def fit(self, *args: Any, **options: Any) -> History:
        """See `pellucid.Model.fit`. What was frozen when `compile` was called is frozen, and nothing else, as in Keras:
        a network that judges another's pictures learns although it is frozen in the other since.
        """
        with self._as_compiled():
            history: History = super().fit(*args, **options)
        heard = options.get("callbacks", args[5] if len(args) > 5 else None)
        rate = history.history.pop("learning_rate", None)
        if rate is not None and any(getattr(each, "changes_rate", False) for each in _as_list(heard)):
            history.history["learning_rate"] = rate  # as in Keras: there alone, and last
        return history

    @contextlib.contextmanager
    def _as_compiled(self) -> Iterator[None]:
        """Meanwhile each layer is trained as `compile` found it."""
        then = (
            self._trained
            if len(self._trained) == len(self.flat_layers)
            else [layer.trainable for layer in self.flat_layers]
        )
        changed = [layer for layer, trained in zip(self.flat_layers, then, strict=True) if layer.trainable != trained]
        for layer in changed:
            layer.trainable = not layer.trainable
        try:
            yield
        finally:
            for layer in changed:
                layer.trainable = not layer.trainable

    def compile(self, optimizer: Any = "adam", loss: Any = None, *args: Any, **options: Any) -> None:
        """See `Sequential.compile`. A loss may be a function that reads values of the network, too, as its calculation
        of them. Warns where Keras would take scores for probabilities, as is not done here."""
        super().compile(optimizer, self.of_arrays(loss), *args, **options)
        self._has_loss = loss is not None
        self._trained = tuple(layer.trainable for layer in self.flat_layers)
        last, wanted = (self.flat_layers or [None])[-1], self.loss.joint_activation
        scores = last is not None and last.role in ("dense", "convolution") and last.nonlinearity is None
        if scores and wanted and self._several is None and not getattr(self.loss, "from_logits", True):
            warnings.warn(
                f"{self.name}: its last layer has no {wanted}, so its answers are read as scores; Keras would take "
                f"them for probabilities. Say from_logits=True to the loss, or activation={wanted!r} to the layer",
                stacklevel=2,
            )

    def evaluate(self, *args: Any, return_dict: bool = False, callbacks: Any = None, **options: Any) -> Any:
        """The loss and what `compile` was asked to measure, as a list; the loss alone where that is nothing.

        callbacks: their methods of tests are called.
        """
        with hearing(self, callbacks, "test") as heard:
            if self.takes_own_steps:
                order = ("x", "y", "batch_size", "verbose", "sample_weight", "steps")
                given = {**dict(zip(order, args, strict=False)), **options}
                picked = (given.get(name) for name in ("x", "y", "batch_size", "steps", "sample_weight"))
                heard.logs = dict(self.judged_by_steps(*picked))
                return _judged(heard.logs, return_dict)
            if callbacks and "on_batch" in options:
                raise ConfigError("evaluate: on_batch is what callbacks are told by; give one of them")
            judged = super().evaluate(*args, **options, **({"on_batch": heard.batch} if callbacks else {}))
            heard.logs = {name: judged[name] for name in judged.keys()}  # noqa: SIM118 (it iterates over the numbers)
        names = self.metrics_names if self.metrics else ["loss"]
        return _judged({name: judged[name] for name in names if name in judged}, return_dict)

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: int | str = "auto", steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:  # fmt: skip
        """As of `pellucid.Model`. callbacks: their methods of predictions are called."""
        if not callbacks:
            return self._keyed(super().predict(x, batch_size, verbose, steps))
        size = 32 if batch_size is None else whole(batch_size, "predict: batch_size")
        x = x if is_stream(x) else as_rows(self, x)
        batches = x if is_stream(x) else [(x[first : first + size],) for first in range(0, len(x), size)]
        with hearing(self, callbacks, "predict") as heard:

            def answer(batch: Any) -> Any:
                outputs = super(Model, self).predict(batch, verbose=0)
                heard.batch({"outputs": outputs})
                return outputs

            return self._keyed(answers_for(batches, steps, answer))

    def train_on_batch(
        self, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One step on these pictures; the loss and the metrics before it."""
        history = self.fit(
            rows := as_rows(self, x), y, batch_size=len(rows), verbose=0, shuffle=False, class_weight=class_weight,
            sample_weight=sample_weight, doctor=False, cache_features=False,
        )  # fmt: skip
        asked = history.history if self.takes_own_steps else self.metrics_names if self.metrics else ["loss"]
        found = {name: history.history[name][-1] for name in history.history if name in asked}
        return _judged({name: value for name, value in found.items() if name != "learning_rate"}, return_dict)

    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and the metrics for these pictures."""
        return self.evaluate(rows := as_rows(self, x), y, len(rows), 0, sample_weight, return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> Any:
        """What comes out for these pictures."""
        return self.predict(rows := as_rows(self, x), batch_size=len(rows), verbose=0)

    # As text, and made again

    def get_config(self) -> dict[str, Any]:
        """What `from_config` makes the same network of, with other weights."""
        facts = self.facts()
        names = ("name", "input_shape", "input_name", "layers", "reads", "outputs", "nested")
        kept: dict[str, Any] = {name: facts[name] for name in names if name in facts}
        if self.lists_inputs:
            kept["input_name"] = self.input_names[0]
        if any(free := self.__dict__.get("_free", ())):
            kept["input_shape"] = [None if a else size for a, size in zip(free, kept["input_shape"], strict=True)]
        return kept

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Self:
        """The network that `get_config`, or that of Keras's own, described.

        Errors: ConfigError, and CheckpointError for what Keras has and Pellucid has not.
        """
        if is_keras(config):
            kind = "Sequential" if issubclass(cls, ours.Sequential) else "Functional"
            return cls.joined(*network({"class_name": kind, "config": config}))
        return cls.joined(layers.from_configs(config["layers"], registered(custom_objects)), config)

    @classmethod
    def joined(cls, made: Sequence[Layer], config: Mapping[str, Any]) -> Self:
        """The network of these layers, of which each reads what the config says."""
        reads = config.get("reads") or [[number - 1] for number in range(len(made))]
        values: dict[int, Any] = {INPUT: InputLayer(config["input_shape"], name=config.get("input_name"))}
        nested = config.get("nested")
        inner = unowned(nested)
        for number, (layer, read) in enumerate(zip(made, reads, strict=True)):
            with within(*(inner[i] for i in nested["within"][number]) if nested else ()):
                values[number] = call(layer, [values[i] for i in read])
        answers = [values[i] for i in config.get("outputs") or [len(made) - 1]]
        model: Self = Model.__new__(cls)
        Model.__init__(model, values[INPUT], answers, config["name"])
        model.__dict__["_made"] = True
        if nested:
            adopt(model, nested, inner)
        return model

    def to_json(self, **kwargs: Any) -> str:
        """The network without its weights as text, for `models.model_from_json`."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)

    def summary(  # type: ignore[override]
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Callable[[str], object] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print the table of layers, a model within it as one row unless expand_nested; what else is given changes
        nothing."""
        self._expands = expand_nested
        super().summary(*(() if print_fn is None else (print_fn,)))

    def _table(self) -> Summary:
        outline = self.outline()
        rows = rows_of(outline.rows, self._nodes, self._around, expand_nested=self._expands)
        name = self.input_names[0] if self.lists_inputs and not self.graph.parts else outline.input_name
        return replace(outline, rows=tuple(rows), input_name=name)


class Functional(Model):
    """What `Model(inputs, outputs)` makes; its inputs are listed among its layers, as `InputLayer`."""

    lists_inputs = True


def _as_list(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _judged(logs: Mapping[str, float], return_dict: bool) -> Any:
    return dict(logs) if return_dict else list(logs.values()) if len(logs) > 1 else next(iter(logs.values()))
