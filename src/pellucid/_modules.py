"""What holds for every module of the package: `dir` shows its own names, a name that there is not gets a sentence that
says what to write instead, to hands that know Keras, and public calls explain themselves.

Nothing is written in the modules: a package finishes each of its modules when that is loaded.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any

INNER = ("pellucid.plan", "pellucid.ops.native")
"""Packages that nobody calls but ourselves, in every step: what they give stays as it is."""

CALLED = ("__init__", "__call__", "__new__")
"""Methods with underscores that people give arguments."""

INSTEAD: Mapping[str, str] = {
    "Functional": "pellucid.Model(inputs, outputs) is one",
    "LearningRateScheduler": "it is in pellucid.train.callbacks; or a schedule, see pellucid.schedules",
    "ModelCheckpoint": "it is in pellucid.train.callbacks; fit(..., resume=FOLDER) keeps checkpoints",
    "applications": "networks are in pellucid.zoo; weights come in by `pellucid import`",
    "callbacks": "Keras's callbacks are in pellucid.train.callbacks; functions of an event are callbacks, too",
    "fit_generator": "fit takes generators, too",
    "history": "fit returns it",
    "load_model": "pellucid.load(path) reads a model",
    "load_weights": "pellucid.load(path) reads the whole model, set_weights([...]) takes arrays",
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


class Package(ModuleType):
    """A package: the import system sets each module in it, once that is loaded; there it is finished."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if isinstance(value, ModuleType) and value.__name__ == f"{self.__name__}.{name}":
            _finish(value)


def adopt(package: ModuleType) -> None:
    """Finish this package's modules: those that are loaded already, and those that will be."""
    package.__class__ = Package
    for name, module in list(sys.modules.items()):
        if name.rpartition(".")[0] == package.__name__:
            _finish(module)


def listed(names: Mapping[str, Any]) -> list[str]:
    """What `__all__` is of a module that is a list of names, and imports nothing else: all of them."""
    return sorted(name for name in names if not name.startswith("_") and name != "annotations")


def written(names: Mapping[str, Any]) -> list[str]:
    """What `__all__` is of a module of functions: those that are written there."""
    own = names["__name__"]
    return sorted(name for name in names if name[0] != "_" and getattr(names[name], "__module__", None) == own)


def optional(name: str, extra: str, wanted_by: str) -> Any:
    """A module of a package that not everybody has. Errors: ConfigError, saying how it is installed."""
    import importlib

    from pellucid.errors import ConfigError

    try:
        return importlib.import_module(name)
    except ImportError as error:
        if error.name is None or name.split(".")[0] != error.name.split(".")[0]:
            raise
        raise ConfigError(
            f"{wanted_by} needs {name}, which is not installed; pip install 'pellucid[{extra}]'"
        ) from None


def _finish(module: ModuleType) -> None:
    if not str(getattr(module, "__file__", "")).endswith(".py"):
        return  # compiled
    names = vars(module)
    if "__path__" in names and not isinstance(module, Package):
        adopt(module)
    names.setdefault("__dir__", lambda: own_names(module))
    names.setdefault("__getattr__", functools.partial(_refuse, module))
    for name in () if module.__name__.startswith(INNER) else names.get("__all__", ()):
        if name in names:
            names[name] = explained(names[name])


def _refuse(module: ModuleType, name: str) -> Any:
    """For a name that a module has not. Errors: AttributeError, saying what to write instead."""
    raise missing(f"module {module.__name__!r}", name, module)


def missing(where: str, name: str, owner: object) -> AttributeError:
    """The error for a name that its owner has not; where nothing is known of it, Python says which is near.

    >>> print(missing("module 'pellucid'", "load_model", None))
    module 'pellucid' has no attribute 'load_model'; pellucid.load(path) reads a model
    """
    hint = f"; {INSTEAD[name]}" if name in INSTEAD else ""
    return AttributeError(f"{where} has no attribute {name!r}{hint}", name=name, obj=owner)


def own_names(module: ModuleType) -> list[str]:
    """The names a module gives: those in `__all__`, or else those that it does not import from elsewhere."""
    import inspect  # only where somebody looks
    import symtable

    names = vars(module)
    if "__all__" in names:
        return [name for name in names["__all__"] if getattr(names.get(name), "__name__", "") != "numpy"]
    symbols = symtable.symtable(inspect.getsource(module), module.__name__, "exec").get_symbols()
    brought = {symbol.get_name() for symbol in symbols if symbol.is_imported()}
    return sorted(name for name in names if not name.startswith("_") and name not in brought)


def explained(value: Any) -> Any:
    """The function, or the class with its constructor and public methods, refusing wrong arguments in a sentence."""
    if not str(getattr(value, "__module__", "")).startswith("pellucid."):
        return value
    if isinstance(value, FunctionType):
        name, home = value.__name__, sys.modules[value.__module__]
        checked = _checked(value)
        if vars(home).get(name) is value:  # or it could not be pickled
            setattr(home, name, checked)
        return checked
    if isinstance(value, type) and not issubclass(value, BaseException):
        if all(getattr(value, name) is getattr(object, name) for name in ("__init__", "__new__")):
            setattr(value, "__init__", _Empty.__init__)  # noqa: B010 (object's own names no argument)
        for cls in value.__mro__:
            if cls.__module__.startswith("pellucid."):
                _explain_methods(cls)
    return value


class _Empty:
    def __init__(self) -> None:
        pass


def _explain_methods(cls: type) -> None:
    for name, method in list(vars(cls).items()):
        if name.startswith("_") and name not in CALLED:
            continue
        if isinstance(method, FunctionType):
            setattr(cls, name, _checked(method))
        elif isinstance(method, classmethod | staticmethod):
            setattr(cls, name, type(method)(_checked(method.__func__)))


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function. Errors: ConfigError, naming the nearest, for arguments that it does not take."""
    if hasattr(function, "_checked"):
        return function

    def checked(*args: Any, **kwargs: Any) -> Any:
        try:
            try:
                return function(*args, **kwargs)
            except TypeError:
                where = {"__init__": type(args[0] if args else None), "__new__": args[0] if args else None}
                wrong = refused(function, where.get(function.__name__, function).__name__, args, kwargs)
                if wrong is None:
                    raise
                raise wrong from None
        except BaseException as error:
            leave_out(error)
            raise

    functools.update_wrapper(checked, function).__dict__["_checked"] = True
    return checked


def leave_out(error: BaseException) -> None:
    """Take the frame that has caught an error out of its traceback: what a `raise` without a word then raises again
    shows people their own call, and ours that fails, with nothing between the two."""
    error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next


def refused(call: Callable[..., Any], where: str, args: tuple[Any, ...], given: Mapping[str, Any]) -> Exception | None:
    """The error for arguments with which Python cannot make the call; None where it can, and failed inside."""
    import inspect  # only where something is wrong

    from pellucid.errors import ConfigError, unknown_name

    signature = inspect.signature(call)
    known = [name for name in signature.parameters if name not in ("self", "cls")]
    try:
        signature.bind(*args, **given)
    except TypeError as wrong:
        unknown = next((name for name in given if name not in known), None)
        if unknown is not None:
            return unknown_name(f"argument of {where}:", unknown, known)
        return ConfigError(f"{where}: {wrong}; its arguments are {', '.join(known) or 'none'}")
    return None


def installed_version() -> str:
    """The version of the installed package, or a remark that it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pellucid")
    except PackageNotFoundError:
        return "(run from its source folder, not installed)"
