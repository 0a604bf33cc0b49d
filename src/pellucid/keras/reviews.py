"""Texts that Keras has as data sets: reviews of films and Reuters' news, words as numbers by how frequent they are.

Their files hold lists of Python's in arrays, so pickles: read by a reader that knows arrays and lists, once the file is
the one that is known by its hash.
"""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from pellucid.datasets.download import data_folders
from pellucid.errors import DataError
from pellucid.files.safe_zip import open_zip
from pellucid.keras.fetching import fits, get_file

ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
HASHES = {
    "imdb.npz": "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    "reuters.npz": "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
    "imdb_word_index.json": "bfafd718b763782e994055a2d397834f",
    "reuters_word_index.json": "4d44cc38712099c9e383dc6e5f11a921",
}
_NAMES = {(f"numpy.{core}.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0] for core in ("core", "_core")} | {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _Lists(pickle.Unpickler):
    """Knows arrays and what Python itself has in a pickle; any other name is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NAMES:
            raise DataError(f"a data set's pickle names {module}.{name}, which is not run")
        return _NAMES[module, name]


def place_of(name: str, path: str | None = None) -> Path:
    """Where a file lies: under PELLUCID_DATA, the cache, or ~/.keras, where it is fetched to. path: another name there.

    Errors: DataError for a file that is not the known one, and where it is not there and nothing can be fetched.
    """
    for folder in data_folders():
        for found in (folder / name, folder / name.partition(".")[0] / name):
            if found.is_file():
                if not fits(found, HASHES[name]):
                    raise DataError(f"{found}: is not the known {name}; use another copy")
                return found
    return Path(get_file(path or name, ADDRESS + name, file_hash=HASHES[name]))


def arrays(path: Path, names: Sequence[str]) -> list[Any]:
    """Arrays of a .npz by their names, those of lists as lists. Errors: DataError for what is no such file."""
    found = []
    with open_zip(path) as archive:
        for name in names:
            try:
                with archive.open(f"{name}.npy") as member:
                    found.append(_array(member))
            except (KeyError, ValueError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
                raise DataError(f"{path}: has no array {name!r} that can be read ({error!s:.100})") from error
    return found


def _array(member: IO[bytes]) -> Any:
    major, _ = np.lib.format.read_magic(member)
    read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(member)
    if dtype.hasobject:
        return list(_Lists(member, encoding="latin1").load())
    return np.frombuffer(member.read(), dtype).reshape(shape)


def word_index(name: str, path: str | None = None) -> dict[str, int]:
    """The number of each word, 1 the most frequent."""
    return dict(json.loads(place_of(name, path).read_text(encoding="utf-8")))


def shuffled(rng: np.random.RandomState, x: Sequence[Any], y: Any) -> tuple[list[Any], Any]:
    """Both in another order."""
    order = np.arange(len(x))
    rng.shuffle(order)
    return [x[int(i)] for i in order], np.asarray(y)[order]


def numbered(
    parts: Sequence[tuple[list[Any], Any]],
    num_words: int | None,
    skip_top: int,
    maxlen: int | None,
    start_char: int | None,
    oov_char: int | None,
    index_from: int,
) -> list[tuple[list[list[int]], Any]]:
    """Rows as `load_data` gives them: moved by index_from, behind a start, without those of maxlen words or more, and
    with oov_char in the place of words that are too frequent or too rare.

    Errors: DataError where maxlen leaves none.
    """
    start = [] if start_char is None else [start_char]
    made = []
    for x, y in parts:
        rows = [[*start, *(number + index_from for number in row)] for row in x]
        kept = [i for i, row in enumerate(rows) if maxlen is None or len(row) < maxlen]
        if not kept:
            raise DataError(f"maxlen={maxlen} leaves no text; give a larger one")
        made.append(([rows[i] for i in kept], np.asarray(y)[kept]))
    most = num_words or max(max(row) for rows, _ in made for row in rows)  # as in Keras: less than the largest
    done = []
    for rows, y in made:
        if oov_char is None:
            rows = [[one for one in row if skip_top <= one < most] for row in rows]
        else:
            rows = [[one if skip_top <= one < most else oov_char for one in row] for row in rows]
        done.append((rows, y))
    return done


def as_objects(rows: Sequence[Any]) -> Any:
    """Lists of different lengths as an array of lists."""
    found = np.empty(len(rows), object)
    found[:] = rows
    return found
