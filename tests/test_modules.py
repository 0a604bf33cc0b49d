"""What holds for every module: `dir` shows its own names, and public calls name the argument that they do not take."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import pellucid
from pellucid import Layer, schedules
from pellucid._modules import INNER
from pellucid.errors import ConfigError

pytest.importorskip("starlette", reason="the extra lab is not installed")

MODULES = [
    importlib.import_module(module.name)
    for module in pkgutil.walk_packages(pellucid.__path__, "pellucid.")
    if not module.name.endswith(("._native", ".__main__"))
]


def given_by(module: ModuleType) -> set[str]:
    """The names that a module's own source defines, or lists."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    made = set(re.findall(r"^ *(?:class |def |async def )?(\w+)", source, re.MULTILINE))
    below = {name.name for name in pkgutil.iter_modules(getattr(module, "__path__", ()))}
    return made | set(re.findall(r"\b(\w+)\b(?=[\w, ]* = )", source)) | below | set(getattr(module, "__all__", ()))


def test_dir_of_every_module_shows_its_own_names_alone() -> None:
    assert len(MODULES) > 250
    for module in MODULES:
        shown, own = set(dir(module)), given_by(module)
        assert shown <= own, f"{module.__name__}: {sorted(shown - own)}"
        assert not shown & {"np", "Any", "annotations", "Path", "TYPE_CHECKING", "dataclass"}, module.__name__
        for name, value in vars(module).items():  # and of what it makes nothing is hidden
            if "__all__" not in vars(module) and not name.startswith("_"):
                assert getattr(value, "__module__", "") != module.__name__ or name in shown, f"{module.__name__}.{name}"


def public_calls() -> Iterator[tuple[str, Callable[..., Any], str]]:
    """(name, function, first argument) of every public function, constructor and method."""
    seen = set()
    for module in (pellucid, *(module for module in MODULES if hasattr(module, "__all__"))):
        for name in module.__all__:
            value = getattr(module, name, None)
            home = str(getattr(value, "__module__", ""))
            if (
                not home.startswith("pellucid.")
                or home.endswith("._native")
                or home.startswith(INNER)
                or id(value) in seen
            ):
                continue
            seen.add(id(value))
            where = f"{module.__name__}.{name}"
            if isinstance(value, FunctionType):
                yield where, value, ""
            elif isinstance(value, type) and not issubclass(value, BaseException):
                if not inspect.isabstract(value):
                    yield where, value, ""
                for method, function in inspect.getmembers(value, inspect.isroutine):
                    ours = isinstance(function, FunctionType) and function.__module__.startswith("pellucid.")
                    if ours and (method == "__call__" or not method.startswith("_")):
                        yield f"{where}.{method}", function, "self"


CALLS = {where: (call, self) for where, call, self in public_calls()}


def test_every_public_call_names_the_argument_that_it_does_not_take() -> None:
    wrong, tried = [], 0
    for where, (call, self) in CALLS.items():
        parameters = inspect.signature(call).parameters
        if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()):
            continue
        names = [
            one.name for one in parameters.values() if one.name != "self" and one.kind >= one.POSITIONAL_OR_KEYWORD
            and one.kind is not inspect.Parameter.VAR_POSITIONAL
        ]  # fmt: skip
        tried += 1
        try:
            call(*([None] if self else []), **{f"{names[0]}z" if names else "nothing": 1})
            wrong.append(f"{where}: taken")
        except ConfigError as error:
            if names and f"did you mean '{names[0]}'?" not in str(error):
                wrong.append(f"{where}: {error}")
        except Exception as error:  # which is what is looked for
            wrong.append(f"{where}: {type(error).__name__}: {error}")
    assert not wrong, f"{len(wrong)} of {tried}:\n" + "\n".join(wrong)
    assert tried > 500


def test_a_type_error_from_inside_stays_what_it_is_and_calls_stay_what_they_are() -> None:
    class Own(Layer):
        def forward(self, x: Any, *, training: bool = False, key: Any = None) -> Any:
            return len(5), None  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="object of type 'int' has no len"):
        Own()([[1.0]])
    with pytest.raises(ConfigError, match=r"^Step: missing a required argument: 'every'; its arguments are initial, "):
        schedules.Step(0.1)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="Own: 'nme'; did you mean 'name'"):
        Own(nme="a")  # type: ignore[call-arg]
    for call in (pellucid.load, schedules.get, pellucid.visualise.features_figure):
        assert pickle.loads(pickle.dumps(call)) is call
    assert str(inspect.signature(schedules.Cosine)) == "(initial: 'float', steps: 'int', final: 'float' = 0.0)"


def test_tracebacks_show_the_call_and_what_fails_and_no_wrapper_between() -> None:
    def raised(call: Callable[[], object]) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            call()
        return [entry.name for entry in caught.traceback][1:]

    assert raised(lambda: schedules.get("cosin", learning_rate=1.0)) == ["<lambda>", "get", "_by_name"]
    assert raised(lambda: schedules.get(spek=1)) == ["<lambda>"]  # type: ignore[call-arg]
    assert raised(lambda: pellucid.Dense(3, unit=4)) == ["<lambda>"]  # type: ignore[call-arg]
    inside = raised(lambda: pellucid.Dense(-3))
    assert inside[:2] == ["<lambda>", "__init__"] and not {"checked", "__call__"} & set(inside)
