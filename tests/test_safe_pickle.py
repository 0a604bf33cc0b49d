"""The pickle reader: it reads what plain data needs, and runs nothing."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import pickletools
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.errors import DataError
from pellucid.files import safe_pickle


def plain():
    shared = np.ones(3, np.float32)
    return {
        "ints": np.arange(6, dtype=">i4").reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "empty": np.zeros((0, 3)),
        "bools": np.array([True, False]),
        "text": np.array(["ab", "c"]),
        "complex": np.array([1 + 2j]),
        "scalar": np.float32(3),
        "shared": [shared, shared],
        "list": [1, -2.5, None, True, b"", b"\xff", "한글", (1, (2, 3), ()), {}, [], 2**100, -1, 300, 70000],
        b"bytes": {1: 2, 0.5: "x"},
    }


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_reads_what_pickle_reads(protocol):
    wanted, got = plain(), safe_pickle.loads(pickle.dumps(plain(), protocol))
    assert got.keys() == wanted.keys() and got["list"] == wanted["list"] and got[b"bytes"] == wanted[b"bytes"]
    for key in ("ints", "fortran", "empty", "bools", "text", "complex", "scalar"):
        assert np.array_equal(got[key], wanted[key]), key
        assert got[key].dtype == wanted[key].dtype.newbyteorder("=")
    assert got["shared"][0] is got["shared"][1]


def test_reads_python_2_pickles():
    # What Python 2.7's cPickle wrote for {'data': numpy.array([[1, 255]], 'uint8'), 'labels': [3]}, protocol 2.
    data = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b"
        b"\x87Rq\x05(K\x01K\x01K\x02\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x02\x01\xfftbU\x06labelsq\x08]q\tK\x03au."
    )
    got = safe_pickle.loads(data)
    assert np.array_equal(got["data"], np.array([[1, 255]], np.uint8)) and got["labels"] == [3]


def test_reads_the_books_parameters():
    path = Path(os.environ.get("PELLUCID_DATA", ""), "book", "params.pkl")
    if not path.is_file():
        pytest.skip("params.pkl is not on this machine")
    got = safe_pickle.load(path)
    assert {name: array.shape for name, array in got.items()} == {
        "W1": (30, 1, 5, 5),
        "b1": (30,),
        "W2": (4320, 100),
        "b2": (100,),
        "W3": (100, 10),
        "b3": (10,),
    }


class Planted:
    def __init__(self, call, arguments):
        self.call = (call, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("call", [os.system, eval, exec, getattr, np.save, np.load, print, __import__])
def test_a_planted_call_never_runs(tmp_path, monkeypatch, protocol, call):
    canary = tmp_path / "canary"
    argument = f"touch {canary}" if call is os.system else f"open({str(canary)!r}, 'w')"
    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps({"W1": np.zeros(2), "x": Planted(call, (argument,))}, protocol))
    with pytest.raises(DataError, match=r"evil\.pkl: refused"):
        safe_pickle.load(path)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (OrderedDict(a=1), "OrderedDict"),
        ({1, 2}, "refused"),
        (np.array([{}, 1], dtype=object), "refused: dtype 'O8'"),
        (np.zeros(2, dtype=[("a", "i4")]), "refused: dtype"),
        (np.ma.masked_array([1]), "refused: the name"),
        ({(1, 2): 3}, "a dict key of type tuple"),
    ],
)
def test_other_objects_are_refused(value, message):
    with pytest.raises(DataError, match=message):
        safe_pickle.loads(pickle.dumps(value, 2))


def test_every_object_building_opcode_is_refused():
    for data in (
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",
        b"(cos\nsystem\nS'true'\no.",
        b"\x80\x02cos\nsystem\n)\x81.",
        b"\x80\x02\x82\x01.",
        b"Pid\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
    ):
        pickletools.dis(data, out=io.StringIO())  # each is a whole pickle
        with pytest.raises(DataError, match="refused"):
            safe_pickle.loads(data)


def test_array_bytes_are_counted():
    good = pickle.dumps(np.arange(4, dtype=np.uint8), 2)
    with pytest.raises(DataError, match=r"needs 200 bytes, got 4"):
        safe_pickle.loads(good.replace(b"K\x01K\x04\x85", b"K\x01K\xc8\x85"))


def test_one_string_cannot_become_many_arrays():
    """Each GET and call of a few bytes would copy a megabyte."""
    text = b"\x80\x02X\x00\x00\x10\x00" + b"a" * 2**20 + b"q\x00]q\x01"
    again = b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86Ra"
    assert len(safe_pickle.loads(text + again * 4 + b".")) == 4
    with pytest.raises(DataError, match="refused: arrays of more bytes"):
        safe_pickle.loads(text + again * 100 + b".")


def test_a_vocabulary_answers_for_names_of_its_own():
    words = safe_pickle.Vocabulary(
        calls={"collections OrderedDict": lambda pairs=(): dict(pairs)},
        values={"numpy float64": "a kind of number"},
        persistent=lambda key: f"storage {key}",
    )
    value = OrderedDict(a=1, kind=np.float64)
    value.note = "an attribute"
    stream = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return "7" if obj is Ellipsis else None

    for _ in range(2):
        Pickler(stream, 2).dump([value, ...])
    stream.seek(0)
    for _ in range(2):  # one pickle behind the other
        assert safe_pickle.loads(stream, vocabulary=words) == [{"a": 1, "kind": "a kind of number"}, "storage 7"]
    with pytest.raises(DataError, match=r"refused: the name (posix|nt)\.system"):
        safe_pickle.loads(pickle.dumps(Planted(os.system, ("true",)), 2), vocabulary=words)
    with pytest.raises(DataError, match="refused: opcode BINPERSID"):
        safe_pickle.loads(b"\x80\x02K\x01Q.")


@pytest.mark.parametrize(
    "data", [b"", b".", b"(", b"}", b"\x80\x02]q\x00(K\x01", b"0.", b"h\x05.", b"cnumpy\nndarray\n."]
)
def test_damaged_pickles_are_named(data):
    with pytest.raises(DataError, match="damaged pickle"):
        safe_pickle.loads(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 255))
def test_any_bytes_give_data_or_a_data_error(noise, place, byte):
    good = bytearray(pickle.dumps({"a": np.arange(3), "b": [b"x", (1, 2.0)]}, 2))
    good[place % len(good)] = byte
    for data in (noise, bytes(good)):
        with contextlib.suppress(DataError):
            safe_pickle.loads(data)
