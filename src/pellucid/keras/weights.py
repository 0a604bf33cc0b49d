"""A model's weights as Keras's programs see them: variables, of layers that stand in it or are attributes of it."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid._arguments import flag, path_of, several
from pellucid._modules import optional
from pellucid.autodiff import Variable
from pellucid.convert import import_weights
from pellucid.convert.keras_file import KerasFile
from pellucid.convert.keras_layers import BY_OURS
from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.export.keras import files as keras_files
from pellucid.files.atomic import make_folder, replacing
from pellucid.keras.checkpoints import Checkpoint, beside, is_checkpoint
from pellucid.layers import Layer
from pellucid.layers.recorded import RecordedLayer, nested_layers
from pellucid.layers.store import each_once
from pellucid.layers.variable import VIEWS, LayerWeight, penalties_of, weights_of
from pellucid.ops import Array

NUMBERED = re.compile(r"\d{5}_")


def _view(name: str) -> Any:
    def weights(self: Any) -> list[Any]:
        every = [weight for layer in self.held_layers() for weight in weights_of(layer)]
        return [weight for weight in [*self.own_variables(), *every] if VIEWS[name](weight)]

    return property(weights, doc="Live variables: `numpy()`, `assign`, and what a tape takes gradients for.")


class Weighted:
    """What `Model` has of them."""

    if TYPE_CHECKING:
        name: str
        built: bool
        preprocessing: Any
        flat_layers: Any
        weights: Any

        def build(self, input_shape: Any = None) -> None: ...

    variables = _view("variables")
    trainable_variables = trainable_weights = _view("trainable_variables")
    non_trainable_variables = non_trainable_weights = _view("non_trainable_variables")

    def held_layers(self) -> list[Layer]:
        """The layers of its network; of a class of one's own that has none, those it has as attributes."""
        return each_once(self.flat_layers) or nested_layers(self)

    def own_variables(self) -> list[Variable]:
        """Those that a class of one's own has as attributes; its steps are taken by a tape then."""
        return [value for value in vars(self).values() if type(value) is Variable]

    @property
    def trainable(self) -> bool:
        """As of `pellucid.Model`, of layers as attributes, too."""
        layers = self.held_layers()
        return any(layer.trainable for layer in layers) or not layers

    @trainable.setter
    def trainable(self, value: bool) -> None:
        trained = flag(value, f"{self.name}: trainable")
        for layer in self.held_layers():
            layer.trainable = trained

    @property
    def losses(self) -> list[Any]:
        """What the weights' penalties, and `add_loss` in a layer's call, add to the loss; recorded by a tape."""
        layers = self.held_layers()
        inner = [one for layer in layers for one in (layer, *nested_layers(layer))]
        added = [loss for layer in (self, *dict.fromkeys(inner)) for loss in getattr(layer, "added_losses", ())]
        asked = [loss() for layer in dict.fromkeys(inner) for loss in getattr(layer, "called_losses", ())]
        return added + asked + [penalty for layer in layers for penalty in penalties_of(layer)]

    def get_weights(self) -> list[Array]:
        """Copies of all weights."""
        return [weight.numpy() for weight in self.variables]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Write new values into all weights, in the order of `get_weights`. Errors: ShapeError where none fit."""
        if self.flat_layers:
            super().set_weights(weights)  # type: ignore[misc]
            return
        own, given = self.variables, several(weights, f"{self.name}: weights")
        if [np.shape(value) for value in given] != [weight.shape for weight in own]:
            raise ShapeError(f"{self.name} has {len(own)} weight arrays of other shapes than the {len(given)} given")
        for weight, value in zip(own, given, strict=True):
            weight.assign(value)

    def _own_layers(self) -> bool:
        """Whether it has layers that Keras's files do not know."""
        recorded = (isinstance(layer, RecordedLayer) and type(layer) not in BY_OURS for layer in self.flat_layers)
        parted = (layer.gives_several for layer in self.flat_layers)
        return not self.flat_layers or any(recorded) or any(parted) or any(layer.custom for layer in self.flat_layers)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the weights alone, as Keras 3 does, into a file whose name ends in .weights.h5; those of a model with
        layers of one's own in their order, for `load_weights` alone.

        Under another name of .h5 or .hdf5, as older programs give it, the whole model, whose weights Keras reads, too;
        under one of TensorFlow's checkpoints (x, x.ckpt, x.tf) a `tf.train.Checkpoint` of our own, x.ckpt.safetensors.
        Errors: ConfigError for another name, and for layers that Keras has not.
        """
        path = path_of(filepath, "save_weights: filepath")
        if is_checkpoint(path):
            Checkpoint(self).write(path)
            return
        if path.suffix.lower() not in (".h5", ".hdf5"):
            raise ConfigError(f"save_weights: a file of weights ends in .weights.h5 or .ckpt, got {shown(path.name)}")
        make_folder(path.parent)
        if not path.name.endswith(".weights.h5") and not self._own_layers():
            self.save(path)  # type: ignore[attr-defined]
            return
        if self._own_layers():
            with replacing(path) as file:
                file.write(_numbered(self.variables))
            return
        with zipfile.ZipFile(io.BytesIO(keras_files(self, "model")["model.keras"])) as archive, replacing(path) as file:  # type: ignore[arg-type]
            file.write(archive.read("model.weights.h5"))

    def load_weights(self, filepath: Any, skip_mismatch: bool = False) -> Checkpoint | None:
        """Read weights, of a file of Keras's, PyTorch's or Pellucid's, into these layers; of a checkpoint, give it.

        Errors: as `convert.import_weights`.
        """
        if skip_mismatch:
            raise ConfigError(
                "load_weights: skip_mismatch=True is not here; pellucid.convert.import_weights(model, FILE, "
                'no_top=True, scaling="raw") leaves the last dense layers as they are'
            )
        path = path_of(filepath, "load_weights: filepath")
        if not path.is_file() and is_checkpoint(path) and beside(path).is_file():
            if not self.built and not self._own_layers():
                self.build()
            return Checkpoint(self).restore(path)
        if self._own_layers():
            with contextlib.closing(KerasFile(path)) as source:
                names = sorted(source.layers)
                if not all(NUMBERED.match(name) for name in names):
                    raise ConfigError(
                        f"load_weights: {self.name} has layers that Keras's files do not know, or that give several "
                        "values; it reads what its own save_weights wrote"
                    )
                self.set_weights([source.read(array) for name in names for array in source.layers[name]])
            return None
        if not self.built:
            self.build()
        scaling = self.preprocessing
        import_weights(self, path, scaling="plain")  # type: ignore[arg-type]
        self.preprocessing = scaling  # which no file of weights says
        return None


def _numbered(variables: Sequence[LayerWeight]) -> bytes:
    """An HDF5 file with a group for each."""
    h5py, content = optional("h5py", "h5", "save_weights"), io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_group("vars")
        for number, variable in enumerate(variables):
            file.create_group(f"layers/{number:05}_{variable.name}/vars").create_dataset("0", data=variable.numpy())
    return content.getvalue()
