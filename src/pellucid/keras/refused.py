"""What Keras has and Pellucid has not, with what to write instead: importing such a name is no error, using it is one.

Programs import much that they never use, so a name in this table gives a class that cannot be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, ClassVar, NoReturn

from pellucid._modules import missing
from pellucid.errors import ConfigError

_SERIES = "SimpleRNN, LSTM, GRU and Bidirectional are here, with cells of their own"
_WORDS = "Hashing, StringLookup, IntegerLookup, CategoryEncoding and Discretization are here"
_VOLUMES = "pictures have two axes here; give slices to the 2-D layer, or the third axis as channels"
_NETWORKS = "EfficientNetV2B0 to EfficientNetV2L are as new, and learn as much; so are the others of keras.applications"
_OWN_RULE = (
    "gradients are those of the functions in docs/keras.md; a layer with a backward of its own is pellucid.layers.Layer"
)
_FILES = "model.save(path) and pellucid.load(path) keep models, fit(resume=FOLDER) checkpoints, pellucid export others"
_MACHINES = "torchrun -m pellucid train ... trains on many machines, see docs/resume.md"


def _each(names: str, remedy: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), remedy)


REFUSED: Mapping[str, Mapping[str, str]] = {
    "layers": {
        **_each("ConvLSTM1D ConvLSTM2D ConvLSTM3D GRUCell LSTMCell RNN SimpleRNNCell StackedRNNCells", _SERIES),
        **_each("HashedCrossing", _WORDS),
        **_each("AveragePooling3D AvgPool3D Conv3D Conv3DTranspose Convolution3D Cropping3D MaxPool3D", _VOLUMES),
        **_each("MaxPooling3D GlobalAveragePooling3D GlobalMaxPooling3D UpSampling3D ZeroPadding3D", _VOLUMES),
        **_each("GroupQueryAttention", "MultiHeadAttention is here"),
        **_each("RandomHeight RandomWidth", "RandomZoom(height_factor, width_factor) scales a picture within its size"),
        **_each("GaussianDropout", "Dropout, AlphaDropout and GaussianNoise are here"),
        **_each("ActivityRegularization", "penalise the weights: kernel_regularizer"),
    },
    "applications": {
        **_each("ConvNeXtBase ConvNeXtLarge ConvNeXtSmall ConvNeXtTiny ConvNeXtXLarge convnext", _NETWORKS),
    },
    "tensorflow": {
        **_each("custom_gradient hessians", _OWN_RULE),
        **_each("saved_model lite", _FILES),
        **_each("tpu", _MACHINES),
        **_each("placeholder layers estimator contrib", "TensorFlow 1 is not here; keras.layers and fit are"),
    },
    "datasets": {
        **_each("boston_housing california_housing", "scikit-learn has tables of numbers; Dense takes them"),
    },
    "mixed_precision": _each("LossScaleOptimizer", "float32 needs no scaled loss; give the optimizer itself"),
    "tensorflow.distribute": _each("MultiWorkerMirroredStrategy TPUStrategy experimental", _MACHINES),
    "tensorflow.summary": _each("audio graph trace_export trace_on", "scalar, image, histogram and text are written"),
    "tensorflow.data": _each("TFRecordDataset TextLineDataset", "image_dataset_from_directory reads pictures"),
}
"""For each module, by the name in it."""


class _Named(type):
    """Of such a name there are no others. Errors: AttributeError that says what to write instead."""

    def __getattr__(cls, name: str) -> NoReturn:
        raise AttributeError(vars(cls).get("message", f"{cls.__name__} has no {name}"), name=name, obj=cls)


class Refused(metaclass=_Named):
    """What stands for such a name. Errors: ConfigError where it is made, or called."""

    message: ClassVar[str]

    def __new__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise ConfigError(cls.message)


def stand_in(module: ModuleType, name: str) -> type[Refused]:
    """What a module gives for a name that it has not.

    Errors: AttributeError for one that Keras has not either, or of which nothing is known.
    """
    place = module.__name__.removeprefix("pellucid.").replace("keras.tensorflow", "tensorflow")
    remedy = REFUSED.get(place.removeprefix("keras."), {}).get(name)
    if remedy is None:
        raise missing(f"module {module.__name__!r}", name, module)
    return type(name, (Refused,), {"message": f"{place}.{name} is not here: {remedy}", "__module__": module.__name__})
