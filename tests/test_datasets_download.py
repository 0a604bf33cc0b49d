"""Downloads, against a server on this machine: mirrors, hashes, archives."""

from __future__ import annotations

import functools
import hashlib
import io
import tarfile
import threading
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from pellucid import datasets
from pellucid.datasets import cifar, sources
from pellucid.datasets.download import Remote, cache_folder, fetch, unpack
from pellucid.errors import DataError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder that is served, and its address."""
    folder = tmp_path / "served"
    folder.mkdir()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield folder, f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def remote(data, *mirrors, name="file.bin"):
    return Remote(name, hashlib.sha256(data).hexdigest(), len(data), mirrors)


def test_the_next_mirror_helps(server, tmp_path, capfd):
    folder, address = server
    data = np.random.default_rng(0).bytes(100_000)
    for place, content in (("wrong", data[:-1] + b"?"), ("right", data)):
        (folder / place).mkdir()
        (folder / place / "file.bin").write_bytes(content)
    seen = []
    path = fetch(
        remote(data, f"{address}/absent", f"{address}/wrong", f"{address}/right/"),
        tmp_path / "into",
        progress=lambda done, total, what: seen.append((done, total, what)),
    )
    assert path.read_bytes() == data and list((tmp_path / "into").iterdir()) == [path]
    assert capfd.readouterr() == ("", "")
    assert seen[-1] == (100_000, 100_000, "downloading file.bin")


def test_a_file_that_is_there_is_not_fetched_again(tmp_path):
    (tmp_path / "file.bin").write_bytes(b"data")
    assert fetch(remote(b"data", "http://127.0.0.1:9"), tmp_path).read_bytes() == b"data"


def test_all_mirrors_failing_are_named(server, tmp_path):
    folder, address = server
    (folder / "file.bin").write_bytes(b"wrong")
    with pytest.raises(DataError, match=r"file\.bin could not be downloaded.*absent.*404.*hash.*put it into"):
        fetch(remote(b"data", f"{address}/absent", address), tmp_path / "into")
    assert not list((tmp_path / "into").iterdir())


def archive(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def test_unpack_takes_names_only(tmp_path):
    archive(tmp_path / "a.tar.gz", {"../../up.bin": b"1", "deep/b.bin": b"2", "/etc/other.bin": b"3"})
    unpack(tmp_path / "a.tar.gz", ["up.bin", "b.bin"], tmp_path / "into")
    assert {path.name: path.read_bytes() for path in (tmp_path / "into").iterdir()} == {"up.bin": b"1", "b.bin": b"2"}
    assert not (tmp_path.parent / "up.bin").exists()
    with pytest.raises(DataError, match=r"expected c\.bin inside"):
        unpack(tmp_path / "a.tar.gz", ["c.bin"], tmp_path / "into")
    archive(tmp_path / "b.tar.gz", {"b.bin": np.random.default_rng(0).bytes(50_000)})
    whole = (tmp_path / "b.tar.gz").read_bytes()
    for cut in (10, 20_000):
        (tmp_path / "b.tar.gz").write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"b\.tar\.gz: damaged archive"):
            unpack(tmp_path / "b.tar.gz", ["b.bin"], tmp_path / "new")
        assert not list((tmp_path / "new").iterdir())


def test_a_named_set_arrives_whole(server, tmp_path, monkeypatch):
    folder, address = server
    labels = np.arange(10).repeat(2).astype(np.uint8)
    records = np.concatenate([labels[:, None], np.tile(labels[:, None], 3072)], axis=1).tobytes()
    archive(folder / "cifar.tar.gz", {f"cifar-10-batches-bin/{name}": records for name in cifar.BINARY_FILES})
    data = (folder / "cifar.tar.gz").read_bytes()
    info = replace(
        sources.KNOWN["cifar10"],
        num_train=100,
        num_test=20,
        remotes=(remote(data, address, name="cifar.tar.gz"),),
    )
    monkeypatch.setitem(sources.KNOWN, "cifar10", info)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PELLUCID_DATA", raising=False)
    monkeypatch.delenv("PELLUCID_OFFLINE", raising=False)
    assert datasets.locate("cifar10") is None
    got = datasets.load("cifar10")
    assert np.array_equal(np.asarray(got.test.images)[:, 5, 5, 2], labels)
    place = datasets.fetch_named("cifar10")
    assert place == cache_folder() / "cifar-10-batches-bin"
    assert sorted(path.name for path in place.iterdir()) == sorted(cifar.BINARY_FILES)
    monkeypatch.setenv("PELLUCID_OFFLINE", "1")
    assert len(datasets.load("cifar10").train) == 100
