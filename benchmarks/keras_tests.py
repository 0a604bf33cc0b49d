"""Keras's own tests, run on pellucid.keras: how many are right, wrong, refused, or use what is not here.

    pip download keras==3.15.1 --no-binary keras --no-deps && tar xzf keras-*.tar.gz && pip install absl-py
    python benchmarks/keras_tests.py keras-3.15.1

A test counts as wrong where one of its comparisons fails, as otherwise where that is meant (EXPLAINED).
`run_layer_test` makes the layer, calls it, and compares the shape of the output and the numbers of weights, as Keras's
does; what that asks besides (masks, types) is left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import unittest
import warnings
from collections import Counter
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from _pytest.outcomes import OutcomeException
from absl.testing import parameterized

import pellucid
from pellucid import keras
from pellucid.errors import PellucidError
from pellucid.keras.tensor import Tensor, tensor
from pellucid.layers.symbolic import Symbolic

ARITHMETIC = (
    "keras.src.backend.common.backend_utils",
    "keras.src.layers.convolutional.conv_test",
    "keras.src.layers.convolutional.depthwise_conv_test",
)
"""Modules that hold no layer, but what tests compute their expectations with."""
EXPLAINED = {
    "ConvBasicTest.test_bad_init_args": "strides above 1 with dilation above 1 are computed here, not refused",
    "ConvTransposeBasicTest.test_bad_init_args": "strides above 1 with dilation above 1 are computed here, not refused",
    **{
        f"ConvBasicTest.test_enable_lora_conv3d_kernel_size{size}_strides{stride}": "layers of volumes are not here"
        for size, stride in ((2, 2), (3, 1))
    },
    "AdaptivePooling1DLayerTest.test_max_pooling_get_config": "a series has a number where Keras has a tuple of one",
    "AdaptivePooling2DLayerTest.test_max_pooling_get_config": "get_config has no data_format, which is channels_last",
    "InputLayerTest.test_input_error2": "a batch size changes nothing here, said once or twice",
    "InputLayerTest.test_input_shape_deprecated": "the older word input_shape is taken without a warning",
    "GroupNormalizationTest.test_undefined_dim_error": "channels that are not known are refused when pictures come",
    "BinaryCrossentropyTest.test_shape_mismatch": "class numbers become one-hot under several units",
    "CategoricalCrossentropyTest.test_shape_mismatch": "class numbers are taken by both cross-entropies",
    "FBetaScoreTest.test_beta_integer_type_raises_value_error": "whole numbers are numbers",
    "FBetaScoreTest.test_threshold_zero_raises_value_error": "a threshold of 0 counts all above it",
    "LionTest.test_invalid_beta_1": "beta_1=0 takes the sign of the gradient alone",
    "OptimizerTest.test_overwrite_with_gradient": "a variable has no overwrite_with_gradient",
    "R2ScoreTest.test_errors": "a row of numbers is one unit",
    **dict.fromkeys(
        (
            "PrecisionTest.test_config",
            "RecallTest.test_config",
            "PrecisionAtRecallTest.test_config",
            "RecallAtPrecisionTest.test_config",
            "SensitivityAtSpecificityTest.test_config",
            "SpecificityAtSensitivityTest.test_config",
        ),
        "true and false positives are counted in one variable",
    ),
    **dict.fromkeys(
        (
            "Cropping1DTest.test_cropping_1d_with_dynamic_spatial_dim",
            "Cropping2DTest.test_cropping_2d_with_dynamic_spatial_dim",
            "FlattenTest.test_flatten_symbolic_with_dynamic_dimension",
            "FlattenTest.test_repeat_vector_with_dynamic_dimension",
            "MergingLayersTest.test_dot_higher_dim",
            "UpSamplingTest.test_upsampling_1d_with_dynamic_shape",
            "ZeroPadding1DTest.test_zero_padding_1d_with_dynamic_spatial_dim",
            "ZeroPadding2DTest.test_zero_padding_2d_with_dynamic_spatial_dim",
        ),
        "a network takes any number of pictures: the batch axis of a symbolic value is None, whatever batch_shape says",
    ),
}
"""Tests that end otherwise than in Keras, and why that is meant."""
LAYERS = ("activations", "convolutional", "core", "merging", "normalization", "pooling", "regularization", "reshaping")
PARTS = ("activations", "losses", "metrics", "optimizers")
FOLDERS = (*(f"layers/{name}" for name in LAYERS), *PARTS)


class TestCase(parameterized.TestCase):  # type: ignore[misc]
    """What Keras's tests ask of theirs."""

    def assertRaisesRegex(self, expected: Any, regex: Any, *args: Any, **kwargs: Any) -> Any:
        """That it is refused; our messages are others."""
        return self.assertRaises((expected, PellucidError), *args, **kwargs)

    def assertAllClose(
        self, x: Any, y: Any, atol: float = 1e-5, rtol: float = 1e-5, msg: Any = None, **of_tpus: Any
    ) -> None:
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), atol=max(atol, 1e-5), rtol=max(rtol, 1e-5))

    def assertNotAllClose(self, x: Any, y: Any, atol: float = 1e-6, rtol: float = 1e-6, msg: Any = None) -> None:
        assert not np.allclose(np.asarray(x), np.asarray(y), atol=atol, rtol=rtol), msg

    def assertAlmostEqual(self, x: Any, y: Any, decimal: int = 3, msg: Any = None) -> None:
        np.testing.assert_almost_equal(np.asarray(x), np.asarray(y), decimal=min(decimal, 6))

    def run_class_serialization_test(self, instance: Any, custom_objects: Any = None) -> None:
        """That its config makes the same again."""
        part = type(instance).__module__.split(".")[1]
        again = getattr(pellucid, part).get(instance.config())
        self.assertEqual((type(again), again.config()), (type(instance), instance.config()))

    def run_layer_test(
        self,
        cls: Any,
        init_kwargs: dict[str, Any],
        input_shape: Any = None,
        input_data: Any = None,
        call_kwargs: Any = None,
        expected_output_shape: Any = None,
        expected_output: Any = None,
        expected_num_trainable_weights: int | None = None,
        expected_num_non_trainable_weights: int | None = None,
        **more: Any,
    ) -> None:
        layer = cls(**init_kwargs)
        if input_data is None:
            several = isinstance(input_shape[0], list | tuple)
            shapes = input_shape if several else [input_shape]
            drawn = [np.random.default_rng(0).random(shape, np.float32) for shape in shapes]
            input_data = drawn if several else drawn[0]
        y = layer(input_data, **(call_kwargs or {}))
        if expected_output_shape is not None:
            self.assertEqual(tuple(y.shape), tuple(expected_output_shape))
        if expected_output is not None:
            self.assertAllClose(y, expected_output)
        if expected_num_trainable_weights is not None:
            self.assertEqual(len(layer.params), expected_num_trainable_weights)
        if expected_num_non_trainable_weights is not None:
            self.assertEqual(len(layer.state), expected_num_non_trainable_weights)


class _Symbolic(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, Symbolic)


class KerasTensor(metaclass=_Symbolic):
    """A value that is not known yet, made from its shape as Keras makes one."""

    def __new__(cls, shape: Any, dtype: Any = None) -> Any:
        return keras.Input(batch_shape=shape)


class _Absent(ModuleType):
    """A module, or what is in one, that is not here; tests are refused where they use it."""

    def __getattr__(self, name: str) -> Any:
        if name == "__path__":
            return []
        if name.startswith("__"):
            raise AttributeError(name)
        ours = vars(self).get("_ours")
        return _Absent(f"{self.__name__}.{name}") if ours is None else getattr(ours, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and callable(args[0]) and not kwargs:
            return args[0]  # a decorator
        if self.__name__.startswith(("conftest.", "keras.src.testing.")):
            return self if "skip" in self.__name__ else False  # asked while a test is defined
        raise AttributeError(f"{self.__name__} is not here")

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        return (object,)


class _Finder(MetaPathFinder, Loader):
    """Gives such modules to what imports anything else of Keras's own; of its layers' modules ours.

    folder: Keras's source, of which ARITHMETIC is run as it is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        known = fullname.partition(".")[0] in ("keras", "tensorflow", "grain", "conftest")
        return ModuleSpec(fullname, self, is_package=True) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ in ARITHMETIC:
            path = self.folder / f"{module.__name__.replace('.', '/')}.py"
            exec(compile(path.read_text(), path, "exec"), vars(module))
        elif module.__name__.startswith(tuple(f"keras.src.{part}." for part in ("layers", *PARTS))):
            vars(module)["_ours"] = getattr(keras, module.__name__.split(".")[2])


def _stub(name: str, **names: Any) -> ModuleType:
    module = _Absent(name)
    vars(module).update(names)
    sys.modules[name] = module
    return module


def variable(value: Any, name: str = "variable", dtype: Any = None, **more: Any) -> Any:
    """A variable of 32-bit floats, whatever its constraints."""
    return keras.Variable(np.asarray(value, np.float32), name=name)


def _clipped(optimizer: pellucid.optimizers.Optimizer, gradients: Any) -> list[Any]:
    found = [np.array(gradient, np.float32) for gradient in gradients]
    optimizer.clip(found)
    return found


def _install(folder: Path) -> None:
    """Modules under the names that the tests import."""
    sys.meta_path.insert(0, _Finder(folder))
    pellucid.optimizers.Optimizer._clip_gradients = _clipped  # type: ignore[attr-defined]
    config = _stub("keras.src.backend.config", image_data_format=lambda: "channels_last", floatx=lambda: "float32")
    asked = {name: getattr(keras.backend, name) for name in keras.backend.__all__ if name != "backend"}
    backend = _stub(
        "keras.src.backend",
        backend=lambda: "numpy",
        config=config,
        convert_to_numpy=np.asarray,
        convert_to_tensor=tensor,
        Variable=variable,
        is_tensor=lambda x: isinstance(x, Tensor),
        standardize_dtype=str,
        Tensor=Tensor,
        KerasTensor=KerasTensor,
        SUPPORTS_SPARSE_TENSORS=False,
        SUPPORTS_RAGGED_TENSORS=False,
        **asked,
    )
    _stub("keras.src.backend.common.keras_tensor", KerasTensor=KerasTensor)
    testing = _stub("keras.src.testing", TestCase=TestCase)
    _stub("keras.src.testing.test_case", TestCase=TestCase)
    names = {name: getattr(keras, name) for name in keras.__all__}
    for name, value in list(names.items()):
        if isinstance(value, ModuleType) and name != "backend":
            names[name] = _stub(f"keras.src.{name}", _ours=value)
    source = _stub("keras.src", **{**names, "backend": backend, "testing": testing})
    _stub("keras", src=source, **names)


def _tests(folder: Path, groups: Sequence[str]) -> dict[str, unittest.TestSuite]:
    """Those of each file that can be imported; of the others a test that says why."""
    found: dict[str, unittest.TestSuite] = {}
    for group in groups:
        for path in sorted((folder / "keras" / "src" / group).glob("*_test.py")):
            spec = importlib.util.spec_from_file_location(f"keras_tests_{path.stem}", path)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
            except (Exception, OutcomeException) as error:  # by whatever it asks of Keras while it is imported
                print(f"{group}/{path.stem}: not imported: {error}")
                continue
            found[f"{group}/{path.stem}"] = unittest.defaultTestLoader.loadTestsFromModule(module)
    return found


def _each(suite: Any) -> list[unittest.TestCase]:
    return [suite] if isinstance(suite, unittest.TestCase) else [test for part in suite for test in _each(part)]


def _outcome(test: unittest.TestCase) -> tuple[str, str]:
    method = getattr(test, test._testMethodName)
    if any(mark.name == "skipif" and mark.args[0] for mark in getattr(method, "pytestmark", ())):
        return "skipped", ""
    try:
        test.setUp()
        method()
    except (unittest.SkipTest, OutcomeException):
        return "skipped", ""
    except PellucidError as error:
        return "refused", str(error)
    except (AttributeError, ImportError, NameError) as error:
        return "missing", str(error)
    except AssertionError as error:
        return _meant(test, "wrong", " ".join(str(error).split())[:200])
    except Exception as error:
        return _meant(test, "failed", f"{type(error).__name__}: {error}")
    return "right", ""


def _meant(test: unittest.TestCase, outcome: str, why: str) -> tuple[str, str]:
    """An outcome, or why it is meant."""
    meant = EXPLAINED.get(".".join(test.id().split(".")[1:]))
    return (outcome, why) if meant is None else ("otherwise", meant)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("keras", type=Path, help="the unpacked source of Keras")
    parser.add_argument("folders", nargs="*", default=FOLDERS, help=f"of its tests; {', '.join(FOLDERS)}")
    parser.add_argument("--verbose", action="store_true", help="a line for each test that is not right")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    _install(given.keras)
    total: Counter[str] = Counter()
    for name, suite in _tests(given.keras, given.folders).items():
        counts: Counter[str] = Counter()
        for test in _each(suite):
            outcome, why = _outcome(test)
            counts[outcome] += 1
            if given.verbose and outcome not in ("right", "skipped"):
                print(f"  {outcome}: {test.id().split('.', 1)[1]}: {why[:200]}")
        total += counts
        print(f"{name}: {', '.join(f'{count} {outcome}' for outcome, count in sorted(counts.items()))}")
    print(f"all {sum(total.values())}: {', '.join(f'{count} {outcome}' for outcome, count in total.most_common())}")


if __name__ == "__main__":
    main()
