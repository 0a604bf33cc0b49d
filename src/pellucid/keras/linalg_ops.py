"""Keras 3's linear algebra, `keras.ops.linalg`; a tape follows all but `eig` and `matrix_rank`."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import _modules
from pellucid.autodiff import matrices
from pellucid.autodiff.tensor import apply
from pellucid.keras.core_ops import jvp as jvp
from pellucid.keras.operation import of_values
from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow.math import norm as norm


@of_values
def inv(x: Any) -> Any:
    """The inverse."""
    return np.linalg.inv(tensor(x))


@of_values
def det(x: Any) -> Any:
    """The determinant."""
    return np.linalg.det(tensor(x))


@of_values
def logdet(x: Any) -> Any:
    """The logarithm of the determinant's size."""
    return apply(matrices.log_determinant, (tensor(x),), {})


def slogdet(x: Any) -> Any:
    """(the determinant's sign, the logarithm of its size)."""
    return tensor(np.linalg.slogdet(np.asarray(x))[0]), logdet(x)


@of_values
def solve(a: Any, b: Any) -> Any:
    """The x with a x = b."""
    return np.linalg.solve(tensor(a), tensor(b))


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """The same, of what stands on and below the diagonal, or above."""
    return solve(np.tril(tensor(a)) if lower else np.triu(tensor(a)), b)


@of_values
def cholesky(x: Any, upper: bool = False) -> Any:
    """The L below the diagonal, with L L' = x; or L'."""
    found = np.linalg.cholesky(tensor(x))
    return matrices.turned(found) if upper else found


@of_values
def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    """The inverse of the matrix of which this is `cholesky`."""
    inverse = np.linalg.inv(np.triu(tensor(x)) if upper else np.tril(tensor(x)))
    return np.matmul(inverse, matrices.turned(inverse)) if upper else np.matmul(matrices.turned(inverse), inverse)


@of_values
def eigh(x: Any) -> Any:
    """(eigenvalues, eigenvectors as columns) of a symmetric matrix."""
    parts = apply(matrices.symmetric_parts, (tensor(x),), {})
    return parts[..., 0, :], parts[..., 1:, :]


def eig(x: Any) -> Any:
    """The same of any square matrix, as complex numbers; no gradient goes through."""
    return tuple(tensor(each.astype(np.complex64)) for each in np.linalg.eig(np.asarray(x)))


@of_values
def qr(x: Any, mode: str = "reduced") -> Any:
    """(Q with columns at right angles, R above the diagonal), with Q R = x; of more columns than rows, or as
    mode="complete", without gradients."""
    given = tensor(x)
    rows, columns = given.shape[-2:]
    if mode != "reduced" or rows < columns:
        return np.linalg.qr(given, mode)  # type: ignore[call-overload]
    parts = apply(matrices.orthogonal_parts, (given,), {})
    return parts[..., :rows, :], parts[..., rows:, :]


@of_values
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """(U, s, V'), with U diag(s) V' = x; or s alone. Without gradients where full_matrices=True adds columns."""
    given = tensor(x)
    rows, columns = given.shape[-2:]
    if full_matrices and compute_uv and rows != columns:
        return np.linalg.svd(given)
    parts = apply(matrices.singular_parts, (given,), {})
    s = parts[..., rows, :]
    return (parts[..., :rows, :], s, matrices.turned(parts[..., rows + 1 :, :])) if compute_uv else s


@of_values
def pinv(x: Any, rcond: float | None = None) -> Any:
    """The pseudoinverse; singular values below rcond times the largest count as 0."""
    given = tensor(x)
    u, s, vh = svd(given, False)
    share = max(given.shape[-2:]) * np.finfo(given.dtype).eps if rcond is None else rcond
    kept = np.asarray(s) > share * np.max(np.asarray(s), -1, keepdims=True)
    inverse = np.where(kept, 1 / np.where(kept, s, 1), np.zeros((), given.dtype))
    return np.matmul(matrices.turned(vh) * inverse[..., None, :], matrices.turned(u))


def lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    """The x for which a x is nearest to b."""
    return np.matmul(pinv(a, rcond), tensor(b))


def matrix_rank(x: Any, tol: float | None = None) -> Any:
    """How many singular values are not 0."""
    return tensor(np.linalg.matrix_rank(np.asarray(x), tol))


__all__ = sorted([*_modules.written(globals()), "jvp", "norm"])
