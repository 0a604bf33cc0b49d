"""Names that there are not: the sentence that says what to write instead, to hands that know Keras."""

from __future__ import annotations

from collections.abc import Mapping

INSTEAD: Mapping[str, str] = {
    "Functional": "pellucid.Model(inputs, outputs) is one",
    "Huber": "mean_squared_error and mean_absolute_error are there, or a pellucid.losses.Loss of your own",
    "LearningRateScheduler": "a schedule is the optimizer's learning rate, see pellucid.schedules",
    "ModelCheckpoint": "fit(..., resume=FOLDER) keeps checkpoints, `pellucid train` the best epoch",
    "RandomFlip": "pellucid train --augment standard shifts and mirrors",
    "Rescaling": "fit, evaluate and predict divide uint8 pictures by 255",
    "applications": "networks are in pellucid.zoo; weights come in by `pellucid import`",
    "callbacks": "fit(..., callbacks=...) takes functions of an event; EarlyStopping is in pellucid.train",
    "fit_generator": "give fit arrays, or a folder to `pellucid train --data FOLDER`",
    "history": "fit returns it",
    "load_model": "pellucid.load(path) reads a model",
    "load_weights": "pellucid.load(path) reads the whole model, set_weights([...]) takes arrays",
    "metrics_names": "evaluate's result has keys()",
    "models": "Sequential and load are in pellucid itself",
    "non_trainable_weights": "each layer has weights and trainable",
    "predict_classes": "predict(x).argmax(axis=-1) are the classes",
    "predict_on_batch": "predict(x) takes any number of pictures",
    "predict_proba": "predict(x) gives probabilities",
    "preprocessing": "a folder of pictures: pellucid.datasets.load(FOLDER)",
    "regularizers": "L1, L2 and L1L2 are in pellucid.layers",
    "save_weights": "save(path) writes them with the network",
    "test_on_batch": "evaluate(x, y) takes any number of pictures",
    "to_categorical": "fit takes class numbers as they are; numpy.eye(classes)[labels] makes rows of them",
    "train_on_batch": "fit(x, y, batch_size=len(x), shuffle=False) takes one step",
    "trainable_variables": "each layer has weights and trainable",
    "trainable_weights": "each layer has weights and trainable",
    "utils": "fit takes class numbers as they are; Sequential(seed=...) sets the seed",
}
"""By the name that is looked for, wherever that is."""


def missing(where: str, name: str, owner: object) -> AttributeError:
    """The error for a name that its owner has not; where nothing is known of it, Python says which is near.

    >>> print(missing("module 'pellucid'", "load_model", None))
    module 'pellucid' has no attribute 'load_model'; pellucid.load(path) reads a model
    """
    hint = f"; {INSTEAD[name]}" if name in INSTEAD else ""
    return AttributeError(f"{where} has no attribute {name!r}{hint}", name=name, obj=owner)
