"""What models had before Keras 3, for programs of then: generators had methods of their own, classes were asked for."""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

import pellucid.model.model as ours
from pellucid._arguments import path_of, within
from pellucid.export.keras import older_files
from pellucid.files.atomic import make_folder, replacing
from pellucid.layers.older import rename
from pellucid.ops import Array

Function = TypeVar("Function", bound=Callable[..., Any])


def renamed(**today: str) -> Callable[[Function], Function]:
    """A function that takes arguments by their names of before, too: `renamed(nb_epoch="epochs")(fit)`.

    Errors: ConfigError for one that is given under both.
    """

    def wrap(function: Function) -> Function:
        @functools.wraps(function)
        def called(*args: Any, **given: Any) -> Any:
            for name in today.keys() & given.keys():
                put = functools.partial(rename, given, (name,), today[name])
                within(function.__name__, put, given.pop(name))
            return function(*args, **given)

        return cast(Function, called)

    return wrap


class Older:
    """Each is today's method by its name of before."""

    if TYPE_CHECKING:
        fit: Any
        evaluate: Any
        predict: Any

    def save(
        self,
        filepath: Any,
        overwrite: bool = True,
        include_optimizer: bool = True,
        save_format: Any = None,
        **more: Any,
    ) -> None:
        """As of `pellucid.Model`; .hdf5, and any name with save_format="h5", is written as .h5.

        A network with functions or layers of one's own keeps its weights alone in an .h5, with a warning.
        The folder of a name without an ending is made, as for TensorFlow's saved models.
        """
        path = path_of(filepath, "save: filepath")
        if not path.suffix:
            make_folder(path.parent)
        older = save_format == "h5" or path.suffix.lower() in (".h5", ".hdf5")
        if older and cast(Any, self)._own_layers():
            cast(Any, self).save_weights(path)
            warnings.warn(
                f"save: {path.name} holds the weights alone: {cast(Any, self).name} has functions, or layers of one's "
                f"own, which no such file keeps. Make the same network again, and load_weights({path.name!r})",
                stacklevel=2,
            )
        elif save_format == "h5" or path.suffix.lower() == ".hdf5":
            with replacing(path) as file:
                file.write(older_files(cast(ours.Model, self), "model")["model.h5"])
        else:
            super().save(path)  # type: ignore[misc]

    @renamed(nb_epoch="epochs")
    def fit_generator(
        self,
        generator: Any,
        steps_per_epoch: Any = None,
        epochs: int = 1,
        samples_per_epoch: Any = None,
        nb_val_samples: Any = None,
        **options: Any,
    ) -> Any:
        """`fit` by its name of before; what was said of threads and queues changes nothing.

        samples_per_epoch, nb_val_samples: as Keras 1 counts, pictures in place of batches.
        """
        if samples_per_epoch is not None:
            generator, steps_per_epoch = _counted(generator, samples_per_epoch)
        if nb_val_samples is not None:
            options["validation_data"], options["validation_steps"] = _counted(
                options.get("validation_data"), nb_val_samples
            )
        return self.fit(generator, steps_per_epoch=_steps(steps_per_epoch), epochs=epochs, **_asked(options))

    def evaluate_generator(self, generator: Any, steps: Any = None, val_samples: Any = None, **options: Any) -> Any:
        """`evaluate` by its name of before; val_samples: pictures in place of batches."""
        if val_samples is not None:
            generator, steps = _counted(generator, val_samples)
        return self.evaluate(generator, steps=_steps(steps), **_asked(options))

    def predict_generator(self, generator: Any, steps: Any = None, val_samples: Any = None, **options: Any) -> Any:
        """`predict` by its name of before; val_samples: pictures in place of batches."""
        if val_samples is not None:
            generator, steps = _counted(generator, val_samples)
        return self.predict(generator, steps=_steps(steps), **_asked(options))

    def predict_classes(self, x: Any, batch_size: int | None = 32, verbose: int = 0) -> Array:
        """The likeliest class of each; of one unit, whether it is above a half."""
        answers = self.predict(x, batch_size=batch_size, verbose=verbose)
        return np.argmax(answers, -1) if answers.shape[-1] > 1 else np.asarray(answers > 0.5, np.int32)


def _counted(batches: Any, pictures: Any) -> tuple[Any, int]:
    """The same batches, and how many of them have so many pictures, by the size of the first; arrays are one."""
    if isinstance(batches, tuple | list):
        return batches, 1
    if hasattr(batches, "__getitem__"):
        first = batches[0]
    else:
        remaining = iter(batches)
        first = next(remaining)
        batches = itertools.chain([first], remaining)
    x = first[0] if isinstance(first, tuple | list) else first
    return batches, math.ceil(pictures / len(x[0] if isinstance(x, list) else x))


def _steps(count: Any) -> int | None:
    """As programs of before say it, `len(x) / 32`: so many begun ones."""
    return None if count is None else math.ceil(count)


def _asked(options: dict[str, Any]) -> dict[str, Any]:
    """Less what Keras of before said of threads."""
    old = ("max_queue_size", "max_q_size", "workers", "nb_worker", "use_multiprocessing", "pickle_safe")
    return {name: _steps(v) if name == "validation_steps" else v for name, v in options.items() if name not in old}
