"""Objects whose arguments are said once: setting one later, or an attribute there is not, is refused, not ignored."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from pellucid._arguments import plain
from pellucid._modules import leave_out, refused
from pellucid.errors import ConfigError, shown

Taken = Callable[[Any], bool | str | Mapping[str, Any]]
"""What becomes of an argument of Keras's: True where its value changes nothing, arguments of ours that say the same;
False or a remedy where it is refused."""


def is_float32(value: Any) -> bool:
    """Whether an argument `dtype` says what all numbers are here, or nothing."""
    named = getattr(value, "name", value)  # of NumPy's types, and of Keras's policies
    return value is None or named is np.float32 or (isinstance(named, str) and named == "float32")


class Maker(type):
    """Makes objects: takes Keras's arguments that change nothing, and says which arguments there are."""

    _signature: inspect.Signature

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        args, given = cls._by_todays_names(args, kwargs)
        given = cls._without_defaults(given)
        try:
            try:
                made = super().__call__(*args, **given)
            except (TypeError, ConfigError):
                wrong = refused(cls, cls.__name__, args, given)
                if wrong is None:
                    raise
                raise wrong from None
        except BaseException as error:
            leave_out(error)
            raise
        made.__dict__["_made"] = True
        return made

    def _by_todays_names(cls, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What was given, in today's order and by today's names, where a class knows of older ones."""
        return args, given

    def _without_defaults(cls, given: dict[str, Any]) -> dict[str, Any]:
        """What was given, with what Keras's arguments that are not known here say in ours, see `Fixed.taken`."""
        taken: Mapping[str, Taken] = getattr(cls, "taken", {})
        if taken.keys().isdisjoint(given):
            return given
        known = inspect.signature(cls).parameters.keys()
        own = {name: value for name, value in given.items() if name in known or name not in taken}
        for name in given.keys() - own.keys():
            said = taken[name](given[name])
            if said is False or isinstance(said, str):
                remedy = said or f"leave {name} out"
                raise ConfigError(f"{cls.__name__}: {name}={shown(given[name])} is not known here; {remedy}")
            for key, value in ({} if said is True else said).items():
                if own.setdefault(key, value) != value:
                    raise ConfigError(f"{cls.__name__}: {name}={shown(given[name])} says another {key}; say one")
        return own

    @property
    def __signature__(cls) -> inspect.Signature:  # or `help` would show the one above
        if "_signature" not in vars(cls):  # a file of a hundred layers asks a hundred times
            cls._signature = inspect.Signature(_parameters(cls.__mro__))
        return cls._signature


def _parameters(classes: Sequence[type]) -> list[inspect.Parameter]:
    """Those of the first constructor among these classes, without self.

    `**named: Unpack[Names]` stands for what it hands on to the next one: the keys of that TypedDict, by position too
    where there is a `*`.
    """
    place = next(place for place, cls in enumerate(classes) if "__init__" in vars(cls))
    own = list(inspect.signature(vars(classes[place])["__init__"]).parameters.values())[1:]
    kind, _, keys = str(own[-1].annotation if own else "").partition("[")
    names = getattr(sys.modules[classes[place].__module__], keys[:-1], None) if kind == "Unpack" else None
    if names is None:
        return own
    named = {one.name: one for one in own if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}
    handed_on = [one for one in _parameters(classes[place + 1 :]) if one.name in names.__annotations__.keys() - named]
    if len(own) < 2 or own[-2].kind is not own[-2].VAR_POSITIONAL:
        handed_on = [one.replace(kind=one.KEYWORD_ONLY) for one in handed_on]
    return [*named.values(), *handed_on]


def is_own(thing: object) -> bool:
    """Whether its class is one of a user's own, of which a file holds no more than the name."""
    return type(thing).__module__.partition(".")[0] != "pellucid"


def config_of(thing: object) -> dict[str, Any]:
    """Its class and the constructor's arguments that it keeps, as JSON has them; of what JSON has not, the kind."""
    names = inspect.signature(type(thing)).parameters
    return {"type": type(thing).__name__} | {
        name: _kept(getattr(thing, name)) for name in names if hasattr(thing, name)
    }


def _kept(value: Any) -> Any:
    if hasattr(value, "config"):
        return value.config()
    try:
        return plain(value)
    except ConfigError:
        return f"<{type(value).__name__}>"


class Fixed(metaclass=Maker):
    """After construction only the attributes in `assignable`, and properties that can be set, take a new value.

    A class of one's own that derives from ours may set what it likes.
    Errors: ConfigError for any other attribute, saying what to do instead.
    """

    assignable: ClassVar[frozenset[str]] = frozenset()
    checks: ClassVar[Mapping[str, Callable[[Any, Any], Any]]] = {}
    """For attributes whose values are checked whenever they are set: of the object and the value, what is kept."""
    taken: ClassVar[Mapping[str, Taken]] = {}
    """Keras's arguments that constructors do not name, and what becomes of them."""
    instead: ClassVar[dict[str, str]] = {}
    """What to do instead of setting an attribute, for those that people try."""
    last_change: ClassVar[object] = object()
    """Another object after each change of an attribute of any of them: whoever keeps what was made of layers and models
    asks for it before, and need not look at them again while it is the same."""

    def __setattr__(self, name: str, value: Any) -> None:
        if "_made" in self.__dict__ and not name.startswith("_") and name not in self.assignable:
            self._expect_property(name)
        check = self.checks.get(name)
        super().__setattr__(name, value if check is None else check(self, value))
        Fixed.last_change = object()

    def __delattr__(self, name: str) -> None:
        if "_made" in self.__dict__ and not name.startswith("_"):
            self._expect_property(name, deleted=True)
        super().__delattr__(name)

    def _expect_property(self, name: str, *, deleted: bool = False) -> None:
        kind = type(self)
        if is_own(self):
            return
        found = getattr(kind, name, None)
        if isinstance(found, property) and found.fset is not None and not deleted:
            return
        there = hasattr(self, name)
        if name in self.instead:
            what = self.instead[name]
        elif there:
            what = f"is said when the {kind.__name__} is made and stays; make a new one"
        else:
            known = {*self.assignable, *(key for key in vars(self) if not key.startswith("_"))}
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
            what = "is no attribute of it, so setting it would do nothing"
            what += f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{kind.__name__}: {name!r} {what}")
