"""What the page's network is: the programs of its plans as data, and what is said and done around them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import losses, optimizers
from pellucid.datasets.pictures import fitting
from pellucid.errors import BackendError, ConfigError
from pellucid.layers.store import each_once
from pellucid.losses import CROSS_ENTROPIES
from pellucid.model import Model
from pellucid.model.scores import class_names, closing_activation, expect_classes, several_labels
from pellucid.ops import Array, native
from pellucid.ops.memory import aligned_empty, aligned_zeros
from pellucid.plan import Feed, InferencePlan, TrainingPlan
from pellucid.plan.description import describe, in_python
from pellucid.plan.feed import Scaled
from pellucid.plan.task import TrainingTask
from pellucid.plan.work import WorkSequence

BATCH_SIZE = 16
"""Of a step that the page takes, at most."""


def described(model: Model, *, trainable: bool) -> tuple[dict[str, Any], bytes]:
    """What the page knows of the network, as plain data, and the numbers it goes on from.

    Errors: ConfigError for a network that answers for no pictures, or has a layer without a kernel.
    """
    if not native.available:
        raise BackendError(f"a page takes its program from compiled kernels, and there are none: {native.reason}")
    expect_classes(model)
    shape = model.graph.input_shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise ConfigError(f"{model.name} takes {shape}, no pictures in grey or colours")
    fit = model.preprocessing
    rule = fitting(fit.size or (shape[0], shape[1]), shape[2], fit.resize)
    sequences, given, read = _answering(model)
    kept: list[Array] = []
    learning: dict[str, Any] | None = None
    if trainable:
        plan, arrays, kept = _learning(model)
        _expect_described(model, plan)
        sequences["train"] = plan.work
        given |= arrays
        read["totals"] = plan.totals
        rate = (optimizers.get("adam") if model.compiled_config() is None else model.optimizer).learning_rate_at(0)
        learning = {"batch": BATCH_SIZE, "rate": rate, "seed": model.seed}
    description = describe(sequences, given=given, read=read, kept=kept)
    scores = model.graph.output_shape[0]
    network = {
        "name": model.name,
        "parameters": model.count_params(),
        "classes": class_names(model, max(scores, 2)),
        "several": several_labels(model),
        "picture": {"size": rule.size, "channels": rule.channels, "resize": rule.resize},
        "background": model.trained_on.get("background", 0),
        "learning": learning,
        "program": description.head,
    }
    return network, description.contents


def _answering(model: Model) -> tuple[dict[str, WorkSequence], dict[str, Array], dict[str, Array]]:
    """The program that answers for one picture of bytes, where that is written, and where the probabilities lie."""
    plan = InferencePlan(model.graph, model.parameters, capacity=1)
    _expect_described(model, plan)
    pictures, scores = aligned_zeros(plan.inputs.shape, np.uint8), plan.outputs[0]
    scaled = Scaled(pictures, plan.inputs, *model.preprocessing.scale_offset(pictures.shape[-1]))
    work = [scaled.work(), *plan.work.work]
    ends, shares = closing_activation(model), scores
    if ends is not None:
        shares = aligned_empty(scores.shape)
        work.append(
            native.softmax(scores, shares) if ends == "softmax" else native.activation(scores, shares, "sigmoid")
        )
    sequence = WorkSequence(work, fixed_weights=True, prepare=plan.work.preparing)
    return {"answer": sequence}, {"picture": pictures}, {"shares": shares}


def _learning(model: Model) -> tuple[TrainingPlan, dict[str, Array], list[Array]]:
    """A training step on pictures of bytes and class numbers; where these are written, with what changes from step to
    step, and what it goes on from."""
    compiled = model.compiled_config() is not None
    optimizer = model.optimizer if compiled else optimizers.get("adam")
    loss = model.loss if compiled else losses.get("categorical_crossentropy")
    if type(loss) not in CROSS_ENTROPIES or several_labels(model):
        raise ConfigError(f"a page learns by cross-entropy of classes; {model.name} was trained with {loss!r}")
    shape = model.graph.input_shape
    scale, offset = model.preprocessing.scale_offset(shape[-1])
    labels = np.zeros(BATCH_SIZE, np.int32)
    feed = Feed(None, labels, None, capacity=BATCH_SIZE, picture=shape, scale=scale, offset=offset)
    slots = optimizer.slots(model.parameters.gradients.size)
    task = TrainingTask(model.graph, model.parameters, loss, feed, "categorical", optimizer, slots, model.seed)
    plan = TrainingPlan(task)
    assert feed.staging is not None
    states = [state for layer in each_once(model.layers) for state in layer.state.values()]
    given = {"pictures": feed.staging, "labels": labels, "control": plan.control, "counter": plan.counter}
    return plan, given, [model.parameters.vector, *slots.values(), *states]


def _expect_described(model: Model, plan: InferencePlan | TrainingPlan) -> None:
    """Errors: ConfigError for what runs in Python: layers by name."""
    if plan.in_python:
        named = ", ".join(f"{layer.name!r} ({type(layer).__name__})" for layer in plan.in_python)
        raise ConfigError(f"a page runs kernels alone; {model.name} has layers that compute in Python: {named}")
    if in_python(plan.work):
        raise ConfigError(
            f"a page runs kernels alone; {model.name} has an optimizer, a loss, a penalty or a constraint that "
            "computes in Python; compile it with another, or export it without --trainable"
        )
