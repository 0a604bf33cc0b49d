"""How a layer's parameters start: by name, by object, or by any function of (shape, rng).

Fans are counted as in Keras: a kernel (..., C, O) has fan_in = prod(...) * C and fan_out = prod(...) * O.
The scaled normals (glorot, he, lecun) are cut at two standard deviations, as in Keras; the cut shrinks the spread by
0.8796, so they draw with a standard deviation divided by that number and come out with the published one.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from pellucid._arguments import described, word
from pellucid._fixed import Maker, Taken
from pellucid.errors import ConfigError, expect_known, shown, unknown_name
from pellucid.ops import float32_array
from pellucid.ops.geometry import LARGEST, Array, Shape, above_zero, number

__all__ = [
    "CUT_NORMAL_STDDEV", "NAMES", "Constant", "FanInUniform", "FromFunction", "Identity", "Initializer",
    "InitializerLike", "Ones", "Orthogonal", "RandomNormal", "RandomSigns", "RandomUniform", "TruncatedNormal",
    "VarianceScaling", "Zeros", "config", "fans", "get", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform",
    "lecun_normal", "lecun_uniform",
]  # fmt: skip


Fan = Literal["fan_in", "fan_out", "fan_avg"]

CUT_NORMAL_STDDEV = 0.87962566103423978
"""Standard deviation of a standard normal cut at -2 and 2."""


class Initializer(metaclass=Maker):
    """A rule that draws an array: `initializer(shape, rng)` gives float32 of that shape.

    Keras's `seed` is taken and changes nothing: a layer's weights come from its model's seed and its place.
    Shapes: any; the scaled rules need at least one axis to count fans.
    """

    taken: ClassVar[Mapping[str, Taken]] = {
        "seed": lambda value: not isinstance(value, str),
        "input_axes": lambda value: value is None,
        "output_axes": lambda value: value is None,
    }
    seeds: ClassVar[Callable[[], int] | None] = None
    """What seeds a generator where none is given: `pellucid.keras` says."""

    def __init_subclass__(cls) -> None:
        own = cls.__dict__.get("__call__")
        if own is not None:
            cls.__call__ = _drawing(own)  # type: ignore[method-assign]

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        """Draw an array of this shape. Without rng, or with Keras's dtype in its place, by a seed of `seeds`."""
        raise NotImplementedError


def _drawing(own: Any) -> Any:
    @functools.wraps(own)
    def drawn(self: Initializer, shape: Any, rng: Any = None, dtype: Any = None) -> Array:
        if not isinstance(rng, np.random.Generator):
            seeds = type(self).seeds
            if seeds is None:
                raise ConfigError(f"{type(self).__name__}: give rng=np.random.default_rng(seed), got {shown(rng)}")
            rng = np.random.default_rng(seeds())
        array: Array = own(self, tuple(shape) if isinstance(shape, list) else shape, rng)
        return array

    return drawn


@dataclass(frozen=True)
class Constant(Initializer):
    """Every entry is `value`."""

    value: float = 0.0

    def __post_init__(self) -> None:
        _keep_number(self, "value")

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        return np.full(shape, self.value, np.float32)


@dataclass(frozen=True)
class Zeros(Initializer):
    """Every entry is 0."""

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        return np.zeros(shape, np.float32)


@dataclass(frozen=True)
class Ones(Initializer):
    """Every entry is 1."""

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        return np.ones(shape, np.float32)


@dataclass(frozen=True)
class RandomNormal(Initializer):
    """Gaussian draws, mean + stddev * z; not cut."""

    mean: float = 0.0
    stddev: float = 0.05

    def __post_init__(self) -> None:
        _keep_number(self, "mean")
        _keep_number(self, "stddev", 0.0)

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        z = np.asarray(rng.standard_normal(shape, dtype=np.float32))
        z *= np.float32(self.stddev)  # in place: a dense kernel may have 400 MB
        z += np.float32(self.mean)
        return z


@dataclass(frozen=True)
class TruncatedNormal(RandomNormal):
    """Gaussian draws, mean + stddev * z, with those again for which z is beyond 2 either way."""

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        return np.float32(self.mean) + np.float32(self.stddev) * _cut_normal(shape, rng)


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """Rows, or columns where these are fewer, at right angles to each other and `gain` long.

    Shapes: (..., O), all axes but the last as one.
    Errors: ConfigError for fewer than two axes.
    Source: Saxe, McClelland & Ganguli 2014, section 3.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        _keep_number(self, "gain")

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        if len(shape) < 2:
            raise ConfigError(f"orthogonal: needs two axes or more, got shape {tuple(shape)}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.sign(np.diag(r))
        return np.asarray(self.gain * (q if rows >= columns else q.T).reshape(shape), np.float32)


@dataclass(frozen=True)
class Identity(Initializer):
    """`gain` on the diagonal, 0 elsewhere; of a convolution's kernel in the middle, so that it passes on what it reads.

    Shapes: (..., C, O).
    Errors: ConfigError for fewer than two axes.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        _keep_number(self, "gain")

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        if len(shape) < 2:
            raise ConfigError(f"identity: needs two axes or more, got shape {tuple(shape)}")
        kernel = np.zeros(shape, np.float32)
        kernel[tuple(size // 2 for size in shape[:-2])] = self.gain * np.eye(shape[-2], shape[-1])
        return kernel


@dataclass(frozen=True)
class RandomUniform(Initializer):
    """Uniform draws from [minval, maxval)."""

    minval: float = -0.05
    maxval: float = 0.05

    def __post_init__(self) -> None:
        _keep_number(self, "minval")
        _keep_number(self, "maxval")
        if not self.minval <= self.maxval:
            raise ConfigError(f"random_uniform: minval must not be above maxval, got {self.minval} and {self.maxval}")

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        u = np.asarray(rng.random(shape, dtype=np.float32))
        u *= np.float32(self.maxval - self.minval)
        u += np.float32(self.minval)
        return u


@dataclass(frozen=True)
class RandomSigns(Initializer):
    """Every entry is -1 or 1, a coin tossed for each: codes that lie far apart in many dimensions."""

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        return np.asarray(2 * rng.integers(0, 2, shape) - 1, np.float32)


@dataclass(frozen=True)
class FanInUniform(Initializer):
    """Uniform draws within limit / fan_in.

    Shapes: (..., C, O).
    Errors: ConfigError for a limit that is not above 0.
    Source: LeCun, Bottou, Bengio & Haffner 1998, appendix A: 2.4 / fan_in.
    """

    limit: float = 2.4

    def __post_init__(self) -> None:
        above_zero(self.limit, "fan_in_uniform: limit")

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        bound = self.limit / max(1, fans(shape)[0])
        return RandomUniform(-bound, bound)(shape, rng)


@dataclass(frozen=True)
class VarianceScaling(Initializer):
    """Zero-mean draws with variance scale / fan, so that signals neither grow nor die from layer to layer.

    Shapes: (..., C, O).
    Units: fan is fan_in, fan_out or their mean, by `mode`; uniform draws stay within sqrt(3 * scale / fan).
    Errors: ConfigError for an unknown mode or distribution, or a scale that is not above 0.
    Source: LeCun et al. 1998 "Efficient BackProp" section 4.6 (1 / fan_in); Glorot & Bengio 2010 eq. 16
        (1 / fan_avg); He et al. 2015 eq. 10 (2 / fan_in).
    """

    scale: float = 1.0
    mode: Fan = "fan_in"
    distribution: Literal["normal", "uniform"] = "normal"

    def __post_init__(self) -> None:
        if str(self.distribution) == "truncated_normal":  # as Keras calls it
            object.__setattr__(self, "distribution", "normal")
        above_zero(self.scale, "variance_scaling: scale")
        expect_known("variance_scaling mode", self.mode, ("fan_in", "fan_out", "fan_avg"))
        expect_known("variance_scaling distribution", self.distribution, ("normal", "uniform"))

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        fan_in, fan_out = fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return RandomUniform(-limit, limit)(shape, rng)
        z = _cut_normal(shape, rng)
        z *= np.float32(math.sqrt(variance) / CUT_NORMAL_STDDEV)
        return z


@dataclass(frozen=True)
class FromFunction(Initializer):
    """A function of yours, `function(shape, rng) -> array`.

    A model file keeps only its name. Read back, `function` is None and draws are NaN: the stored weights replace
    them, and if nothing does, no one can mistake them for a start.
    """

    name: str
    function: Callable[[Shape, np.random.Generator], Any] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        word(self.name, "FromFunction: name")
        if self.function is not None:
            _expect_drawing(self.function)

    def __reduce__(self) -> tuple[Any, ...]:
        return FromFunction, (self.name,)  # as in a file

    def __copy__(self) -> FromFunction:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FromFunction:
        return self

    def __call__(self, shape: Shape, rng: np.random.Generator) -> Array:
        if self.function is None:
            return np.full(shape, np.nan, np.float32)
        return float32_array(self.function(shape, rng), "what it returns")


def _expect_drawing(function: Any) -> None:
    """Errors: ConfigError unless it is a function that (shape, rng) can be given to."""
    if callable(function) and not isinstance(function, type):
        try:
            inspect.signature(function).bind((1,), None)
            return
        except ValueError:  # compiled: nobody knows
            return
        except TypeError:
            pass
    raise ConfigError(f"an initializer is a name, an Initializer or a function of (shape, rng), got {shown(function)}")


def _keep_number(made: Initializer, name: str, least: float = -LARGEST) -> None:
    """Errors: ConfigError unless the attribute is a finite number of at least `least`."""
    number(getattr(made, name), f"{type(made).__name__}: {name}", least)


InitializerLike = str | Initializer | Mapping[str, Any] | Callable[[Shape, "np.random.Generator"], Any]
"""What a layer's `kernel_initializer` takes; see `get`."""


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out): how many inputs an output sees, and how many outputs an input feeds.

    >>> fans((3, 3, 16, 32)), fans((784, 10))
    ((144, 288), (784, 10))
    """
    if len(shape) == 0:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    field_size = math.prod(shape[:-2])
    return field_size * shape[-2], field_size * shape[-1]


def _cut_normal(shape: Shape, rng: np.random.Generator) -> Array:
    """Standard normal draws; those beyond 2 are drawn again."""
    z = rng.standard_normal(math.prod(shape), dtype=np.float32)
    beyond = np.flatnonzero((z > 2) | (z < -2))
    while beyond.size:
        z[beyond] = rng.standard_normal(beyond.size, dtype=np.float32)
        beyond = beyond[np.abs(z[beyond]) > 2]
    return np.asarray(z.reshape(shape))


def _scaled(name: str, scale: float, mode: Fan, doc: str) -> Callable[[], VarianceScaling]:
    """A published start under its name, which ends in the distribution."""

    def start(seed: Any = None) -> VarianceScaling:
        return VarianceScaling(scale, mode, "uniform" if name.endswith("uniform") else "normal")

    start.__name__ = start.__qualname__ = name
    start.__doc__ = doc
    return start


_GLOROT, _LECUN = "Source: Glorot & Bengio 2010, eq. 16.", "Source: LeCun et al. 1998, section 4.6."
_HE = "Source: He et al. 2015, eq. 10."
glorot_normal = _scaled("glorot_normal", 1.0, "fan_avg", f"Normal, variance 2 / (fan_in + fan_out). {_GLOROT}")
glorot_uniform = _scaled("glorot_uniform", 1.0, "fan_avg", f"Uniform within sqrt(6 / (fan_in + fan_out)). {_GLOROT}")
he_normal = _scaled("he_normal", 2.0, "fan_in", f"Normal, variance 2 / fan_in. {_HE}")
he_uniform = _scaled("he_uniform", 2.0, "fan_in", f"Uniform within sqrt(6 / fan_in). {_HE}")
lecun_normal = _scaled("lecun_normal", 1.0, "fan_in", f"Normal, variance 1 / fan_in. {_LECUN}")
lecun_uniform = _scaled("lecun_uniform", 1.0, "fan_in", f"Uniform within sqrt(3 / fan_in). {_LECUN}")


_NAMED: dict[str, Initializer] = {
    "zeros": Zeros(),
    "ones": Ones(),
    "constant": Constant(),
    "random_normal": RandomNormal(),
    "random_uniform": RandomUniform(),
    "truncated_normal": TruncatedNormal(),
    "orthogonal": Orthogonal(),
    "identity": Identity(),
    **{
        make.__name__: make()
        for make in (glorot_normal, glorot_uniform, he_normal, he_uniform, lecun_normal, lecun_uniform)
    },
    "fan_in_uniform": FanInUniform(),
    "random_signs": RandomSigns(),
}
NAMES = tuple(_NAMED)
"""Every initializer `get` knows by name."""
_CLASSES = {cls.__name__: cls for cls in (*map(type, _NAMED.values()), FromFunction)}


def _plain(name: str) -> str:
    """A name as the table is searched: any case, with or without underscores; Xavier is Glorot's first name."""
    return name.lower().replace("_", "").replace("-", "").replace("xavier", "glorot")


_SHORTER = {"normal": "random_normal", "uniform": "random_uniform", "zero": "zeros", "one": "ones"}
"""Names that Keras 1 and 2 have besides."""
_BY_PLAIN_NAME = {_plain(name): initializer for name, initializer in _NAMED.items()}
_BY_PLAIN_NAME |= {name: _NAMED[today] for name, today in _SHORTER.items()}


def get(spec: InitializerLike) -> Initializer:
    """The initializer that `spec` names: a name in any case, an object, a config, or a function of (shape, rng).

    Errors: ConfigError for an unknown name or anything else.

    >>> get("Xavier_Uniform") == get("glorot_uniform")
    True
    """
    if isinstance(spec, Initializer):
        return spec
    if isinstance(spec, str):
        found = _BY_PLAIN_NAME.get(_plain(spec))
        if found is None:
            raise unknown_name("initializer", spec, (*_NAMED, "xavier_normal", "xavier_uniform"))
        return found
    if isinstance(spec, Mapping):
        return described("initializer", spec, _CLASSES)
    if isinstance(spec, type) and issubclass(spec, Initializer):
        return spec()
    _expect_drawing(spec)
    return FromFunction(getattr(spec, "__name__", type(spec).__name__), spec)


def config(initializer: Initializer) -> str | dict[str, Any]:
    """What `get` turns back into this initializer: its name where it has one, else its class and numbers.

    Of a function or a class of your own only the name is kept (see FromFunction).
    """
    for name, known in _NAMED.items():
        if known == initializer:
            return name
    if isinstance(initializer, FromFunction):
        return {"type": "FromFunction", "name": initializer.name}
    if type(initializer) not in _CLASSES.values():
        return {"type": "FromFunction", "name": type(initializer).__name__}
    return {"type": type(initializer).__name__, **asdict(initializer)}  # type: ignore[call-overload]
