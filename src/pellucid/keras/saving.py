"""Keras's reading and writing of models."""

from typing import Any as _Any

from pellucid import _modules
from pellucid.keras import described as _described
from pellucid.keras.models import load_model as load_model
from pellucid.keras.models import save_model as save_model
from pellucid.keras.registered import CustomObjectScope as CustomObjectScope
from pellucid.keras.registered import custom_object_scope as custom_object_scope
from pellucid.keras.registered import get_custom_objects as get_custom_objects
from pellucid.keras.registered import get_registered_name as get_registered_name
from pellucid.keras.registered import get_registered_object as get_registered_object
from pellucid.keras.registered import register_keras_serializable as register_keras_serializable


def load_weights(model: _Any, filepath: _Any, **options: _Any) -> None:
    """`model.load_weights(filepath)`."""
    model.load_weights(filepath, **options)


def save_weights(model: _Any, filepath: _Any, overwrite: bool = True, **options: _Any) -> None:
    """`model.save_weights(filepath)`."""
    model.save_weights(filepath, overwrite=overwrite, **options)


deserialize_keras_object, serialize_keras_object = _described.deserialize, _described.serialize
__all__ = _modules.listed(globals())
