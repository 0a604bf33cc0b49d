"""How a network of `keras.applications` is made: what Keras's functions take, around a description of its layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pellucid._arguments import path_of
from pellucid._progress import work_bar
from pellucid.convert import KERAS_PUBLISHED, bring, import_weights
from pellucid.errors import ConfigError, expect_known, shown
from pellucid.keras.model import Model
from pellucid.keras.networks.parts import Top
from pellucid.keras.tensor import input_of
from pellucid.layers import GlobalAvgPool2D, GlobalMaxPool2D, Input
from pellucid.layers.symbolic import is_symbolic

COMMON = {
    "include_top": True,
    "weights": "imagenet",
    "input_tensor": None,
    "input_shape": None,
    "pooling": None,
    "classes": 1000,
    "classifier_activation": "softmax",
    "name": None,
}
"""What all of Keras's functions take, in the order of most."""

POOLINGS = {"avg": GlobalAvgPool2D, "max": GlobalMaxPool2D}

Describe = Callable[..., Any]
"""Of the pictures, and of a Top or None: the answers, or the last maps."""


def application(
    keras_name: str,
    describe: Describe,
    name: str | None = None,
    *,
    size: int = 224,
    least: int = 32,
    order: str = " ".join(COMMON),
    ready: Describe | None = None,
    file: str | Callable[[Mapping[str, Any]], str] = "_weights_tf_dim_ordering_tf_kernels",
    doc: str = "",
) -> Callable[..., Model]:
    """Keras's function for a network.

    describe: its layers; what it takes by name besides is taken from the caller. name: of the model, with places for
    what it depends on. size: of the pictures that it was published for, and its `least` one. order: of the arguments,
    where it is not that of most. ready: what describes it with the weights that stand for "imagenet", where these are
    not Keras's. file: what Keras's published file is called, behind the model's name; a function where it depends on
    the caller's arguments.
    """
    known = name or keras_name.lower()
    default = None if "{" in known else known
    own = {
        each.name: each.default
        for each in inspect.signature(describe).parameters.values()
        if each.kind is inspect.Parameter.KEYWORD_ONLY
    }
    defaults = {**COMMON, "name": default, **own}
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature([inspect.Parameter(each, kind, default=defaults[each]) for each in order.split()])

    def build(*args: Any, **kwargs: Any) -> Model:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given, weights = bound.arguments, bound.arguments["weights"]
        options, with_top = {each: given[each] for each in own}, bool(given["include_top"])
        published = weights == "imagenet"
        if published and with_top and given["classes"] != 1000:
            raise ConfigError(f"{keras_name}: weights of ImageNet are for 1000 classes; give include_top=False")
        if published and ready and options != own:
            words = ", ".join(f"{key}={value}" for key, value in own.items())
            raise ConfigError(f"{keras_name}: the published weights are for {words}; give weights=None, or a file")
        beginning = given["input_tensor"]
        shape = _picture(keras_name, given["input_shape"], size, least, with_top=with_top) if beginning is None else ()
        source = input_of(shape, beginning)
        top = Top(given["classes"], given["classifier_activation"]) if with_top else None
        answer = ready(source, top) if published and ready else describe(source, top, **options)
        pooling = given["pooling"]
        if not with_top and pooling is not None:
            answer = POOLINGS[expect_known("pooling", pooling, POOLINGS)](name=f"{pooling}_pool")(answer)
        model = Model(inputs_of(source), answer, name=given["name"] or known.format(rows=source.shape[1], **options))
        if published and not ready:
            _fill(model, file(given) if callable(file) else f"{known}{file}{'' if with_top else '_notop'}.h5")
        elif weights is not None and not published:
            model.load_weights(path_of(weights, f"{keras_name}: weights"))
        return model

    build.__name__ = build.__qualname__ = keras_name
    build.__dict__["__signature__"] = signature
    build.__doc__ = f"""{doc}

    weights: "imagenet" for Keras's published ones, None for new ones, or a file. include_top=False ends at the last
    maps; pooling: "avg" or "max" of each of them. input_tensor: a value of a network that it goes on from,
    or pictures that are calculated later, such as `K.placeholder` is part of.
    Shapes: pictures (N, H, W, 3), H and W {size} unless input_shape says otherwise, at least {least}.
    Errors: ConfigError for arguments; DataError where published weights are not here and cannot be fetched.
    """
    return build


def _picture(
    where: str, shape: Sequence[int | None] | None, size: int, least: int, *, with_top: bool
) -> Sequence[int | None]:
    """The input's shape: sizes that are not known may be any where nothing stands behind the maps."""
    if shape is None:
        return (size, size, 3) if with_top else (None, None, 3)
    given = tuple(shape) if isinstance(shape, list | tuple) else ()
    if len(given) != 3 or given[2] is None or any(side is not None and side < least for side in given[:2]):
        raise ConfigError(
            f"{where}: input_shape must be (H, W, C) of at least {least} pixels a side, got {shown(shape)}"
        )
    if with_top and None in given:
        raise ConfigError(f"{where}: include_top=True needs a size of pictures, got input_shape={shape}")
    return given


def inputs_of(value: Any) -> Any:
    """What a value is computed from: itself where it is an Input, else the Inputs of its network, in a list."""
    if isinstance(value, Input) or not is_symbolic(value):
        return value
    found: dict[int, Any] = {}
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, Input):
            found[id(one)] = one
        else:
            todo.extend(reversed(one.inputs))
    return list(found.values())


def _fill(model: Model, file: str) -> None:
    """Keras's published weights; its programs scale pictures themselves. Errors: ConfigError where there are none."""
    if file not in KERAS_PUBLISHED:
        raise ConfigError(f"{model.name}: Keras has published no file {file}; give weights=None, or a file")
    with work_bar("auto") as bar:
        path = bring(KERAS_PUBLISHED[file], progress=bar)
    scaling = model.preprocessing
    import_weights(model, path, scaling="plain")
    model.preprocessing = scaling
