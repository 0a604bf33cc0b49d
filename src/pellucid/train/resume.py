"""What a checkpoint keeps of a training beside its model, and how a training goes on from it.

Everything random depends on the seed and on numbers that are counted (the step, the model's epochs, the batch), so a
training that knows these, the parameters, the optimizer's moments and the sums over the epoch so far goes on with the
same bits. Numbers that are no counts lie in tensors: text would round some of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import ops
from pellucid.errors import CheckpointError, ConfigError, shown
from pellucid.files.schema import OBJECT, TEXT, Maybe, Misfit, check, either, number, whole
from pellucid.layers.parameters import fill, tensors_of
from pellucid.ops.geometry import Array, Shape
from pellucid.train.checkpoints import Saved
from pellucid.train.config import MAX_EPOCHS, TrainConfig
from pellucid.train.events import Resumable
from pellucid.train.examples import Examples, fingerprint
from pellucid.train.history import History
from pellucid.train.state import TrainingState
from pellucid.train.trainable import Trainable

if TYPE_CHECKING:
    pass

TRAINING = "training:"
"""How the names of tensors begin that belong to the training and not to the model."""

FIXED = ("batch_size", "shuffle", "seed", "augment", "fine_tune_from", "shards")
"""What of the configuration decides the numbers and so must stay."""

RATE = "learning_rate"

FACTS = {
    "epoch": whole(0, MAX_EPOCHS),
    "batch": whole(0, 2**40),
    "learning_rate": number(0),
    "elapsed_s": number(0),
    "waited_s": number(0),
    "optimizer_step": whole(0, 2**53),
    "num_epochs": whole(0, 2**53),
    "next_learning_rate": either(number(0), OBJECT),
    "frozen": [TEXT],
    "best_epoch": Maybe(whole(0, MAX_EPOCHS)),
    "history": [TEXT],
    "listeners": [TEXT],
    "settings": OBJECT,
    "backend": {"name": TEXT, "instruction_set": Maybe(TEXT)},
}
"""What a checkpoint tells of its training, as `pack` writes it."""

COUNTED = ("epoch", "batch", RATE, "elapsed_s", "waited_s")
"""What of a training's state is a number."""

ADDED = {"exact_convolution": False, "fine_tune_from": None, "shards": 1}
"""Settings that older checkpoints do not name, as they were then."""


def settings_of(
    model: Trainable, examples: Examples, validation: Examples | None, config: TrainConfig
) -> dict[str, Any]:
    """What must be the same when a training goes on, as plain data."""
    chosen = config.to_json()
    settings = {
        **{name: chosen[name] for name in FIXED},
        "optimizer": model.optimizer.config(),
        "loss": model.loss.config(),
        "exact_convolution": model.exact_convolution,
        "training pictures": fingerprint(examples),
        "held-out pictures": fingerprint(validation),
    }
    settings[RATE] = settings["optimizer"].pop(RATE)
    return dict(json.loads(json.dumps(settings)))  # as a file gives it back


def pack(
    model: Trainable,
    settings: Mapping[str, Any],
    state: TrainingState,
    listeners: Sequence[object],
    *,
    gradients: bool,
) -> tuple[dict[str, Array], dict[str, Any]]:
    """(tensors, facts) of a checkpoint. gradients: keep those of the last step, which a snapshot is still to show."""
    tensors: dict[str, Array] = dict(tensors_of(model.flat_layers))
    own = {
        "totals": state.totals,
        "best": np.array(state.best),
        **{f"slot:{name}": vector for name, vector in state.optimizer.slots.items()},
        **{f"history:{name}": np.array(values, np.float64) for name, values in state.history.history.items()},
    }
    if gradients:
        own["gradients"] = model.parameters.gradients
    remembering = _remembering(listeners)
    for key, listener in remembering.items():
        own |= {f"{key}{name}": array for name, array in listener.state().items()}
    tensors |= {f"{TRAINING}{name}": array for name, array in own.items()}
    backend = ops.backend()
    training = {
        **{name: getattr(state, name) for name in COUNTED},
        "optimizer_step": state.optimizer.step,
        "num_epochs": state.optimizer.num_epochs,
        "next_learning_rate": model.optimizer.config()[RATE],
        "frozen": [layer.name for layer in model.flat_layers if not layer.trainable],
        "best_epoch": state.history.best_epoch,
        "history": list(state.history.history),
        "listeners": list(remembering),
        "settings": dict(settings),
        "backend": {"name": backend.name, "instruction_set": backend.instruction_set},
    }
    return tensors, {"kind": "checkpoint", **model.facts(), "training": training}


def unpack(
    saved: Saved,
    model: Trainable,
    settings: Mapping[str, Any],
    state: TrainingState,
    listeners: Sequence[object],
) -> None:
    """Fill the model, the state of its training and the listeners from a checkpoint, with what `pack` was given.

    Errors: ConfigError where model, settings or pictures are others than then; CheckpointError for a file that holds
    something else.
    """
    training = training_facts(saved)
    _check_same(saved, training["settings"], settings)
    try:
        if training["next_learning_rate"] != settings[RATE]:  # a listener had changed it
            model.optimizer.learning_rate = training["next_learning_rate"]
        _unpack(saved, training, model, state, listeners)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        why = f"{error!r:.300}"
        raise CheckpointError(f"{saved.path}: what it tells of the training cannot be followed: {why}") from error


def rescheduled(saved: Saved, learning_rate: Any) -> Saved:
    """A checkpoint, to go on from with another learning rate or schedule, as the optimizer's config has it."""
    training = training_facts(saved)
    settings = {**training["settings"], RATE: learning_rate}
    changed = {**training, "next_learning_rate": learning_rate, "settings": settings}
    return replace(saved, facts={**saved.facts, "training": changed})


def _unpack(
    saved: Saved, training: Mapping[str, Any], model: Trainable, state: TrainingState, listeners: Sequence[object]
) -> None:
    own = {name[len(TRAINING) :]: array for name, array in saved.tensors.items() if name.startswith(TRAINING)}
    weights = {name: array for name, array in saved.tensors.items() if not name.startswith(TRAINING)}
    fill(model.flat_layers, weights, saved.path)
    for layer in model.flat_layers:
        layer.trainable = layer.name not in training["frozen"]
    optimizer = state.optimizer
    optimizer.restart()
    model.prepare_slots()
    for name, vector in optimizer.slots.items():
        vector[...] = _fitting(own, f"slot:{name}", vector.shape)
    if "gradients" in own:
        model.parameters.gradients[...] = _fitting(own, "gradients", model.parameters.gradients.shape)
    optimizer.step, optimizer.num_epochs = int(training["optimizer_step"]), int(training["num_epochs"])
    model.touch()
    epoch = int(training["epoch"])
    history = History()
    history.history = {name: _fitting(own, f"history:{name}", (epoch,)).tolist() for name in training["history"]}
    best = training["best_epoch"]
    if (epoch and not history.history) or (best is not None and best >= epoch):
        raise ValueError(f"{epoch} epochs, {len(history.history)} histories, the best epoch {best}")
    history.epoch = list(range(epoch))
    history.best_epoch = training["best_epoch"]
    for key, listener in _remembering(listeners).items():
        if key in training["listeners"]:
            listener.resume({name[len(key) :]: array for name, array in own.items() if name.startswith(key)})
    for name in COUNTED:
        setattr(state, name, type(getattr(state, name))(training[name]))
    state.history, state.totals = history, _fitting(own, "totals", state.totals.shape)
    accuracy, loss = _fitting(own, "best", (2,)).tolist()
    state.best = accuracy, loss


def _fitting(own: Mapping[str, Array], name: str, shape: Shape) -> Array:
    """An array of the training, of this very shape: a smaller one would be spread over it."""
    array = own[name]
    if array.shape != shape or array.dtype.kind != "f":
        raise ValueError(f"{name}: expected numbers of shape {shape}, got {array.dtype} {array.shape}")
    return array


def _remembering(listeners: Sequence[object]) -> dict[str, Resumable]:
    """The listeners that have something to keep, by how its names begin: their type, and their number among those."""
    found: dict[str, Resumable] = {}
    for listener in listeners:
        if isinstance(listener, Resumable):
            kind = type(listener).__name__
            found[f"{kind}:{sum(key.startswith(f'{kind}:') for key in found)}:"] = listener
    return found


def training_facts(saved: Saved) -> Mapping[str, Any]:
    """What a checkpoint tells of its training. Errors: CheckpointError for a file that is no checkpoint."""
    training = saved.facts.get("training")
    if saved.facts.get("kind") != "checkpoint" or not isinstance(training, dict):
        raise CheckpointError(f"{saved.path}: is no checkpoint of a training, but {shown(saved.facts.get('kind'))}")
    try:
        check(FACTS, training, "training")
    except Misfit as error:
        raise CheckpointError(f"{saved.path}: {error}; it was changed or damaged") from error
    return training


def other_backend(saved: Saved) -> str | None:
    """Why the numbers may differ in their last bits from here on, in a line for people; None if they may not."""
    then, now = training_facts(saved).get("backend", {}), ops.backend()
    if (then.get("name"), then.get("instruction_set")) == (now.name, now.instruction_set):
        return None
    return (
        f"the run began with {then.get('instruction_set')} and goes on with {now.instruction_set}: its numbers will "
        f"differ in their last bits; where this machine has it, PELLUCID_ISA={then.get('instruction_set')} keeps them"
    )


def _check_same(saved: Saved, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name, value in now.items():
        before = then.get(name, ADDED.get(name))
        if before != value:
            raise ConfigError(
                f"{saved.path.parent}: the training there has {name} {before!r}, this one {value!r}; "
                "keep it as it was, or train anew in another folder"
            )
