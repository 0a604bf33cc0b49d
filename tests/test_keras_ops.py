"""`keras.ops` against Keras's own, name by name, of arrays and of a network's values."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from pellucid import keras
from pellucid.errors import ConfigError
from pellucid.keras import ops
from pellucid.keras import tensorflow as tf

theirs = pytest.importorskip("keras").ops
RNG = np.random.default_rng(0)
A, B = (RNG.normal(size=(2, 3, 4)).astype(np.float32) for _ in range(2))
P, U, T = np.abs(A) + 0.1, np.tanh(A), (A > 0).astype(np.float32)
IMAGES, KERNEL = RNG.normal(size=(2, 6, 6, 3)).astype(np.float32), RNG.normal(size=(3, 3, 3, 4)).astype(np.float32)
SHARES = np.exp(B) / np.exp(B).sum(-1, keepdims=True)

SQUARE = RNG.normal(size=(2, 3, 3)).astype(np.float32) + 3 * np.eye(3, dtype=np.float32)
SYMMETRIC = SQUARE @ SQUARE.transpose(0, 2, 1)
HOLES = np.where(np.abs(A) > 1, np.float32(np.nan), A)
WHOLE = np.arange(1, 13).reshape(3, 4)
LOGITS, WORDS = RNG.normal(size=(2, 6, 4)).astype(np.float32), np.array([[1, 2], [3, 3]])
HEADS = [RNG.normal(size=(2, 3, 2, 4)).astype(np.float32) for _ in range(3)]
PICTURE = RNG.normal(size=(1, 5, 6, 2)).astype(np.float32)
WAVE = RNG.normal(size=(2, 40)).astype(np.float32)
SHIFT = np.float64([1, 0.1, -0.4, 0.2, 0.9, 0.3, 0, 0])
CORNERS = np.float32([[[0, 0], [4, 0.5], [0.5, 5], [4.5, 4]]])
SPECTRUM = tuple(RNG.normal(size=(2, 7, 5)).astype(np.float32) for _ in range(2))

GIVEN: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("log", "log1p", "log2", "log10", "sqrt", "rsqrt"), (P,)),
    **dict.fromkeys(("arccos", "arcsin", "arctanh", "erfinv"), (U,)),
    **dict.fromkeys(("concatenate", "stack", "vstack", "hstack", "dstack"), ([A, B],)),
    **dict.fromkeys(("bartlett", "blackman", "hamming", "hanning", "identity", "tri"), (5,)),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm"), (WHOLE, WHOLE[::-1].copy())),
    **dict.fromkeys(("bitwise_left_shift", "bitwise_right_shift", "left_shift", "right_shift"), (WHOLE, WHOLE % 3)),
    **dict.fromkeys(("bitwise_invert", "bitwise_not"), (WHOLE,)),
    **dict.fromkeys(("array_split", "dsplit", "hsplit", "vsplit"), (RNG.normal(size=(4, 4, 4)).astype("f"), 2)),
    **dict.fromkeys(("det", "inv", "logdet", "slogdet"), (SQUARE,)),
    **dict.fromkeys(("cholesky", "eigh"), (SYMMETRIC,)), "cholesky_inverse": (np.linalg.cholesky(SYMMETRIC),),
    **dict.fromkeys(("nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanprod"), (HOLES, 1)),
    **dict.fromkeys(("nanstd", "nansum", "nanvar"), (HOLES, 1)),
    **dict.fromkeys(("nanquantile", "nanpercentile"), (HOLES, 0.3, 1)),
    **dict.fromkeys(("segment_max", "segment_min", "segment_prod", "segment_sum"), (A[0], np.array([0, 2, 0]), 3)),
    **dict.fromkeys(("adaptive_average_pool", "adaptive_max_pool"), (IMAGES, (3, 2))),
    **dict.fromkeys(("image.crop_images", "image.pad_images"), (IMAGES, 1, 2, 2, 1)),
    "append": (A, B, 1),
    "batch_normalization": (A, A[0, 0], P[0, 0], -1, B[0, 0], B[0, 1]),
    "conv_transpose": (IMAGES, KERNEL.transpose(0, 1, 3, 2), 2, "same"), "correlate": (A[0, 0], B[0, 1, :3], "full"),
    "corrcoef": (A[0],), "ctc_decode": (LOGITS, np.array([6, 4])),
    "ctc_loss": (WORDS, LOGITS, np.array([2, 1]), np.array([6, 5])),
    "depth_to_space": (PICTURE[:, :2, :3].reshape(1, 1, 3, 4), 2), "space_to_depth": (IMAGES, 2),
    "dot_product_attention": tuple(HEADS), "empty": ((0, 2),), "empty_like": (A[:0],),
    "extract_sequences": (WAVE, 8, 3), "fft": ((A, B),), "ifft2": ((A, B),), "irfft": ((A, B),),
    "stft": (WAVE, 8, 4, 12),
    "istft": (SPECTRUM, 8, 4, 8), "fold": (RNG.normal(size=(2, 18, 16)).astype("f"), (4, 4), 3, 1, 1),
    "unfold": (IMAGES.transpose(0, 3, 1, 2).copy(), 3, 2, 1, 2), "geomspace": (1.0, 8.0, 4), "get_item": (A, 1),
    "in_top_k": (np.array([0, 2, 3]), A[0], 2), "isin": (WHOLE, np.array([2, 5])), "kaiser": (5, 2.0),
    "ldexp": (A, WHOLE % 3), "lstsq": (A[0], B[0, :, :2]), "logspace": (0.0, 2.0, 4), "matrix_rank": (SQUARE,),
    "multi_hot": (np.array([[0, 2], [1, 1]]), 4), "nanargmax": (HOLES, 1), "nanargmin": (HOLES, 1), "nonzero": (T,),
    "percentile": (A, 30.0), "pinv": (A[0],), "qr": (A.transpose(0, 2, 1).copy(),), "polar": (P, A),
    "psnr": (A, B, 2.0),
    "rearrange": (A, "a b c -> (c a) b"), "saturate_cast": (A * 300, "uint8"), "scatter_update":
    (A, np.array([[0, 1], [1, 2]]), B[:, 0]), "select": ([A > 0, B > 0], [A, B], 0.5),
    "separable_conv": (IMAGES, KERNEL[..., :2], RNG.normal(size=(1, 1, 6, 5)).astype("f")),
    "solve": (SQUARE, B[:, :3]), "solve_triangular": (SQUARE, B[:, :3]), "svd": (SQUARE,), "threshold": (A, 0.2, -1.0),
    "unique": (WHOLE % 5,), "unravel_index": (WHOLE - 1, (3, 4)), "vander": (A[0, 0], 3), "view": (A, "int32"),
    "view_as_complex": (np.stack([A, B], -1),), "view_as_real": ((A + 1j * B).astype("complex64"),),
    "nextafter": (A, B),
    "i0": (A[0],), "histogram": (A[0, 0], 4), "imag": (A + 1j * B,), "sparsemax": (A * 3,),
    "diagflat": (A[0, 0],), "scatter": (np.array([[0, 1], [1, 2], [0, 1]]), A[0], (2, 3, 4)),
    "image.affine_transform": (PICTURE, SHIFT), "image.extract_patches": (IMAGES, (2, 3)), "image.extract_patches_3d":
    (RNG.normal(size=(1, 4, 5, 3, 2)).astype("f"), (2, 3, 2)),
    "image.gaussian_blur": (IMAGES, (3, 3), (1.2, 0.7), "channels_last"),
    "image.map_coordinates": (A[0], P[:, 0] * 2, 1, "reflect"), "image.perspective_transform": (PICTURE, CORNERS,
    np.float32([[[0.3, 0], [5, 0], [0, 4], [5, 4.5]]])), "image.resize": (IMAGES, (9, 5)),
    "image.ssim": (np.abs(RNG.normal(size=(1, 12, 12, 2))).astype("f") / 4, np.full((1, 12, 12, 2), 0.3, "f")),
    "image.hsv_to_rgb": (np.abs(U)[..., :3].copy(),), "image.rgb_to_hsv": (np.abs(U)[..., :3].copy(),),
    "image.rgb_to_grayscale": (np.abs(U)[..., :3].copy(),), "image.sobel_edges": (IMAGES,),
    "arange": (5,), "arccosh": (1 + P,), "bincount": (np.array([0, 2, 2, 1]),), "cross": (A[:, :2, :3], B[:, :2, :3]),
    "diag": (A[0, 0],), "digitize": (A, np.float32([-1, 0, 1])), "fft2": ((A, B),), "quantile": (A, 0.3),
    "rot90": (A,), "searchsorted": (np.float32([-1, 0, 1]), A[0, 0]), "slice_update": (A, (0, 1, 1), B[:1, :2, :2]),
    "vdot": (A[0, 0], B[0, 0]),
    "array": ([1.0, 2.0],), "average_pool": (IMAGES, 2, 2), "binary_crossentropy": (T, 1 / (1 + P)),
    "broadcast_to": (A[:1], (2, 3, 4)), "cast": (A, "int32"),
    "categorical_crossentropy": (np.eye(4)[[[0, 2, 1], [3, 0, 0]]].astype("f"), SHARES),
    "clip": (A, -0.5, 0.5), "conv": (IMAGES, KERNEL, 2, "same"), "convert_to_tensor": (A,),
    "depthwise_conv": (IMAGES, KERNEL[..., :2], 1, "valid"), "diagonal": (A[0],), "dot": (A[0], B[0].T),
    "einsum": ("nij,nkj->nik", A, B), "expand_dims": (A, 1), "eye": (3,), "full": ((2, 3), 1.5), "full_like": (A, 2.0),
    "linspace": (0, 1, 5), "logical_not": (A > 0,), "matmul": (A, B.transpose(0, 2, 1)), "max_pool": (IMAGES, 2, 2),
    "meshgrid": (A[0, 0], B[0, 1]), "moments": (A, (0, 1)), "moveaxis": (A, 0, -1), "one_hot": (np.array([0, 2]), 4),
    "ones": ((2, 3),), "outer": (A[0, 0], B[0, 0]), "pad": (A, ((0, 0), (1, 1), (0, 2))), "power": (P, B),
    "repeat": (A, 2, 1), "reshape": (A, (4, 6)), "roll": (A, 1, 0), "slice": (A, (0, 1, 1), (1, 2, 2)),
    "sparse_categorical_crossentropy": (np.array([0, 2]), SHARES[:, 0]), "split": (A, 2, 2), "squeeze": (A[:, :1], 1),
    "stop_gradient": (A,), "swapaxes": (A, 0, 1), "take": (A, np.array([0, 2]), 1),
    "take_along_axis": (A, np.argsort(A, -1), -1), "tensordot": (A, B.transpose(2, 1, 0), 1), "tile": (A, (1, 2, 1)),
    "top_k": (A, 2), "trace": (A[0],), "unstack": (A,), "where": (A > 0, A, B), "zeros": ((2, 3),),
}  # fmt: skip
OTHERS = {"argpartition", "associative_scan", "cond", "convert_to_numpy", "custom_gradient", "dtype", "fori_loop",
          "is_tensor", "jvp", "map", "scan", "switch", "vectorize", "vectorized_map", "while_loop", "eig"}  # fmt: skip
"""What takes functions, or gives no numbers: tested below."""
ABSENT = {"lu_factor", "image.elastic_transform", "image.scale_and_translate"}
MODULES = {"image", "linalg", "nn", "numpy"}


def names_of(module: Any) -> set[str]:
    return {name for name in dir(module) if not name.startswith("_")} - MODULES


def function_of(module: Any, name: str) -> Any:
    return getattr(module.image, name[6:]) if name.startswith("image.") else getattr(module, name)


def _numbers(name: str) -> tuple[Any, ...]:
    """What is given where nothing is said: as many arrays as Keras's function takes."""
    each = inspect.signature(getattr(theirs, name)).parameters.values()
    count = sum(one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD for one in each)
    return (A, B)[:count]


NAMES = names_of(theirs) | {f"image.{name}" for name in names_of(theirs.image)}
CALLS = {name: GIVEN.get(name) or _numbers(name) for name in sorted(NAMES - OTHERS - ABSENT)}


def put(given: Any, made: Any) -> Any:
    """The same with each array made another."""
    if type(given) in (list, tuple):
        return type(given)(put(each, made) for each in given)
    return made(given) if isinstance(given, np.ndarray) else given


def parts(found: Any) -> list[Any]:
    if isinstance(found, list | tuple) and not all(isinstance(each, int) for each in found):
        return [one for each in found for one in parts(each)]
    array = np.asarray(found.detach() if hasattr(found, "detach") else found)
    return [array if array.dtype.kind == "c" else array.astype(np.float64)]


def test_all_names_of_kerass_but_three_are_here_and_no_other() -> None:
    ours = names_of(ops) | {f"image.{name}" for name in names_of(ops.image)}
    assert ours == NAMES - ABSENT and names_of(theirs.linalg) - ABSENT <= names_of(ops.linalg)
    assert not OTHERS - NAMES and not set(GIVEN) - set(CALLS)
    assert ops.cond(A.sum() > 1e9, lambda: 1, lambda: 2) == 2 and ops.is_tensor(ops.array([1.0]))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", sorted(CALLS))
def test_numbers_are_kerass(name: str) -> None:
    given = put(CALLS[name], theirs.convert_to_tensor)
    found, wanted = parts(function_of(ops, name)(*CALLS[name])), parts(function_of(theirs, name)(*given))
    assert len(found) == len(wanted)
    for ours, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, other, atol=2e-5)


@pytest.mark.parametrize(
    "name",
    [
        "abs",
        "amax",
        "amin",
        "median",
        "nansum",
        "ptp",
        "layer_normalization",
        "exp",
        "softmax",
        "gelu",
        "cumsum",
        "std",
        "flip",
        "log_softmax",
    ],
)
def test_of_a_networks_values_they_are_those_of_arrays(name: str) -> None:
    inputs, function = keras.Input((3, 4)), getattr(ops, name)
    more = {"axis": 2} if name in ("amax", "amin", "median", "nansum", "ptp", "cumsum", "std", "flip") else {}
    np.testing.assert_allclose(keras.Model(inputs, function(inputs, **more))(A), function(A, **more), atol=1e-6)


@pytest.mark.parametrize("how", [{"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True, "fill_value": 2.0}])
@pytest.mark.parametrize(("sides", "size"), [((2, 7, 12), (6, 6)), ((13, 5), (10, 3)), ((1, 1, 9), (4, 9))])
def test_pictures_keep_the_ratio_of_their_sides(how: Any, sides: Any, size: Any) -> None:
    x = RNG.normal(size=(*sides, 3)).astype("f")
    wanted = theirs.image.resize(x, size, data_format="channels_last", **how)
    np.testing.assert_allclose(ops.image.resize(x, size, **how), parts(wanted)[0], atol=1e-5)
    with pytest.raises(ConfigError, match="exclude each other"):
        ops.image.resize(x, size, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True)


def test_operations_that_take_functions() -> None:
    """Against what they are written for: sums that go on, loops, and gradients by hand."""
    x = A[0, 0]
    assert ops.switch(7, [lambda v: v, lambda v: -v], 2.0) == -2.0 and ops.dtype(x) == "float32"
    assert ops.fori_loop(0, 4, lambda i, total: total + i, 1) == 7
    assert ops.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s * 2), (0, 1)) == (3, 8)
    np.testing.assert_allclose(ops.map(lambda row: row * 2, A), A * 2)
    np.testing.assert_allclose(ops.vectorized_map(ops.sum, A), A.sum((1, 2)), rtol=1e-5)
    total, sums = ops.scan(lambda s, v: (s + v, s + v), np.float32(0), x)
    np.testing.assert_allclose(sums, np.cumsum(x), rtol=1e-5)
    np.testing.assert_allclose(total, x.sum(), rtol=1e-5)
    np.testing.assert_allclose(ops.associative_scan(np.add, x, reverse=True), np.cumsum(x[::-1])[::-1], rtol=1e-5)
    assert ops.vectorize(lambda a: a + 1)(np.array([1, 2])).tolist() == [2, 3]
    assert (np.asarray(ops.argpartition(A, 2))[..., 2] == np.argsort(A)[..., 2]).all()
    values, vectors = map(np.asarray, ops.eig(SQUARE))
    np.testing.assert_allclose(SQUARE @ vectors, vectors * values[:, None], atol=1e-4)
    y, along = ops.jvp(lambda a: ops.sin(a) * a, (x,), (np.ones_like(x),))
    np.testing.assert_allclose(along, np.cos(x) * x + np.sin(x), rtol=1e-5)
    np.testing.assert_allclose(y, np.sin(x) * x, rtol=1e-5)
    joined = ops.rearrange(A, "a b (c d) -> (a d) b c", d=2)
    np.testing.assert_array_equal(joined, A.reshape(2, 3, 2, 2).transpose(0, 3, 1, 2).reshape(4, 3, 2))

    @ops.custom_gradient
    def halved(v: Any) -> Any:
        return v * 2, lambda d: d * 5

    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(halved(variable) * 3.0)
    np.testing.assert_array_equal(tape.gradient(loss, variable), np.full(4, 15))


TREE = {"b": [1, (2, None)], "a": 3}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("flatten", (TREE,)), ("flatten_with_path", (TREE,)), ("is_nested", (TREE,)), ("is_nested", (3,)),
        ("lists_to_tuples", (TREE,)), ("map_structure", (lambda a: a and a * 2, TREE)),
        ("map_structure_up_to", ({"a": 0, "b": 0}, str, TREE)), ("pack_sequence_as", (TREE, [5, 6, 7, 8])),
        ("traverse", (lambda each: 9 if isinstance(each, tuple) else None, TREE)),
        ("map_shape_structure", (len, [(None, 3), {"a": (2, 3, 4)}])), ("assert_same_structure", (TREE, TREE)),
        ("assert_same_paths", (TREE, TREE)),
    ],
)  # fmt: skip
def test_a_tree_is_kerass(name: str, arguments: tuple[Any, ...]) -> None:
    assert getattr(keras.tree, name)(*arguments) == getattr(pytest.importorskip("keras").tree, name)(*arguments)
    assert names_of(keras.tree) == names_of(pytest.importorskip("keras").tree)
