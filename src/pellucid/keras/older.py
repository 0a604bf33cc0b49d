"""What models had before Keras 3, for programs of then: generators had methods of their own, classes were asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np

import pellucid.model.model as ours
from pellucid._arguments import path_of
from pellucid.export.keras import older_files
from pellucid.files.atomic import make_folder, replacing
from pellucid.ops import Array


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

        The folder of a name without an ending is made, as for TensorFlow's saved models.
        """
        path = path_of(filepath, "save: filepath")
        if not path.suffix:
            make_folder(path.parent)
        if save_format == "h5" or path.suffix.lower() == ".hdf5":
            with replacing(path) as file:
                file.write(older_files(cast(ours.Model, self), "model")["model.h5"])
        else:
            super().save(path)  # type: ignore[misc]

    def fit_generator(self, generator: Any, steps_per_epoch: Any = None, epochs: int = 1, **options: Any) -> Any:
        """`fit` by its name of before; what was said of threads and queues changes nothing."""
        return self.fit(generator, steps_per_epoch=_steps(steps_per_epoch), epochs=epochs, **_asked(options))

    def evaluate_generator(self, generator: Any, steps: Any = None, **options: Any) -> Any:
        """`evaluate` by its name of before."""
        return self.evaluate(generator, steps=_steps(steps), **_asked(options))

    def predict_generator(self, generator: Any, steps: Any = None, **options: Any) -> Any:
        """`predict` by its name of before."""
        return self.predict(generator, steps=_steps(steps), **_asked(options))

    def predict_classes(self, x: Any, batch_size: int | None = 32, verbose: int = 0) -> Array:
        """The likeliest class of each; of one unit, whether it is above a half."""
        answers = self.predict(x, batch_size=batch_size, verbose=verbose)
        return np.argmax(answers, -1) if answers.shape[-1] > 1 else np.asarray(answers > 0.5, np.int32)


def _steps(count: Any) -> int | None:
    """As programs of before say it, `len(x) / 32`: so many begun ones."""
    return None if count is None else math.ceil(count)


def _asked(options: dict[str, Any]) -> dict[str, Any]:
    """Less what Keras of before said of threads."""
    old = ("max_queue_size", "max_q_size", "workers", "nb_worker", "use_multiprocessing", "pickle_safe")
    return {name: _steps(v) if name == "validation_steps" else v for name, v in options.items() if name not in old}
