"""A named set's files: fetched by several at once, carried here, or not to be fetched at all."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mirrors import Server, archive, names_in, ranged, remote

from pellucid import datasets
from pellucid.cli import main
from pellucid.datasets import cifar, sources
from pellucid.datasets.download import alone, cache_folder, fetch
from pellucid.errors import DataError


@pytest.fixture
def small_cifar(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """cifar10 with 120 pictures, on the server, and nothing on this machine."""
    labels = np.arange(10).repeat(2).astype(np.uint8)
    records = np.concatenate([labels[:, None], np.tile(labels[:, None], 3072)], axis=1).tobytes()
    files = {f"cifar-10-batches-bin/{name}": records for name in cifar.BINARY_FILES}
    data = archive(tmp_path / "cifar.tar.gz", files)
    mirror = server.mirror("data", lambda h: ranged(h, data))
    there = (remote(mirror, data=data, name="cifar.tar.gz"),)
    info = replace(sources.KNOWN["cifar10"], num_train=100, num_test=20, remotes=there)
    monkeypatch.setitem(sources.KNOWN, "cifar10", info)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PELLUCID_DATA", raising=False)
    return labels


def test_a_named_set_arrives_whole(small_cifar: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    assert datasets.locate("cifar10") is None
    got = datasets.load("cifar10")
    assert np.array_equal(np.asarray(got.test.images)[:, 5, 5, 2], small_cifar)
    place = datasets.fetch_named("cifar10")
    assert place == cache_folder() / "cifar-10-batches-bin"
    assert names_in(place) == sorted(cifar.BINARY_FILES) and names_in(cache_folder()) == [place.name]
    monkeypatch.setenv("PELLUCID_OFFLINE", "1")
    assert len(datasets.load("cifar10").train) == 100


def test_a_set_is_taken_along(
    small_cifar: np.ndarray, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Downloaded to a stick, or copied there; and found on the stick by a machine without a network."""
    first, second = tmp_path / "first", tmp_path / "second"
    assert datasets.fetch_named("cifar10", into=first) == first / "cifar-10-batches-bin"
    assert datasets.locate("cifar10") is None and len(server.asked) == 1
    monkeypatch.setenv("PELLUCID_OFFLINE", "1")
    monkeypatch.setenv("PELLUCID_DATA", str(first))
    assert main(["data", "fetch", "cifar10", "--into", str(second)]) == 0
    assert names_in(second / "cifar-10-batches-bin") == sorted(cifar.BINARY_FILES)
    monkeypatch.setenv("PELLUCID_DATA", str(second))
    assert len(datasets.load("cifar10").train) == 100
    (second / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"file/cifar-10-batches-bin: cannot be written"):
        datasets.fetch_named("cifar10", into=second / "file")


def test_two_at_once_fetch_it_once(small_cifar: np.ndarray, server: Server) -> None:
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda: counts.append(len(datasets.load("cifar10").train)), daemon=True)
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert counts == [100] * 4 and len(server.asked) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks there")
def test_a_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from pellucid.datasets.download import alone\n"
        "with alone(Path(sys.argv[1])):\n    print('in', flush=True)\n    time.sleep(60)"
    )
    lock = tmp_path / "folder" / ".lock"
    holder = subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "in\n"
    entered: list[float] = []
    waited: list[int] = []

    def enter() -> None:
        with alone(lock, lambda: waited.append(1)):
            entered.append(time.monotonic())

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    thread.join(0.5)
    assert not entered and waited == [1]
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    thread.join(20)
    assert entered and not lock.exists()
    holder.stdout.close()


def test_many_take_turns(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def enter() -> None:
        for _ in range(20):
            with alone(tmp_path / ".lock"):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 120 and set(most) == {1}


# Offline -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data on this machine, and a network that is not to be touched."""

    def touched(*args: object, **options: object) -> None:
        raise AssertionError(f"the network was touched: {args[:3]}")

    monkeypatch.setenv("PELLUCID_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(
        "pellucid.datasets.sources.KNOWN", {n: replace(k, system_folders=()) for n, k in sources.KNOWN.items()}
    )
    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, touched)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10"])
def test_offline_every_way_to_a_data_set_is_an_error_without_the_network(
    offline: None, name: str, tmp_path: Path
) -> None:
    for ask in (datasets.load, datasets.fetch_named):
        with pytest.raises(DataError, match=rf"{name} is not on this machine.*PELLUCID_OFFLINE.*Put the files"):
            ask(name)
    module = getattr(datasets, name.replace("-", "_"))
    with pytest.raises(DataError, match="PELLUCID_OFFLINE"):
        module.load_data()
    with pytest.raises(DataError, match="PELLUCID_OFFLINE forbids a download"):
        fetch(sources.known(name).remotes[0], tmp_path)
    assert names_in(tmp_path) == []


def test_offline_the_commands_do_without_the_network(
    offline: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = (
        ("--version", 0),
        ("data list", 0),
        ("data info digits", 0),
        ("data fetch digits", 0),
        ("data fetch mnist", 1),
        ("train simple-convnet --data mnist", 1),
        ("train --epochs 1 --limit 100 --test-limit 50 --quiet --out run", 0),
        ("evaluate run", 0),
        ("summary run", 0),
    )
    for line, status in lines:
        assert main(line.split()) == status, line
        assert status == 0 or "PELLUCID_OFFLINE forbids a download" in capfd.readouterr().err


def test_offline_an_archive_that_was_carried_here_is_enough(
    small_cifar: np.ndarray, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = cache_folder() / "cifar-10-batches-bin"
    place.mkdir(parents=True)
    os.link(tmp_path / "cifar.tar.gz", place / "cifar.tar.gz")
    monkeypatch.setenv("PELLUCID_OFFLINE", "1")
    assert len(datasets.load("cifar10").train) == 100 and not server.asked


def test_nothing_else_knows_the_network() -> None:
    """Only download.py may, and what programs fetch by themselves: whoever imports these modules elsewhere has to ask
    `offline` too, and comes here. The lab and `serve` listen, and call nobody; gloo.py knows the processes of one
    training."""
    import ast

    import pellucid

    network = {"socket", "ssl", "http", "urllib", "requests", "urllib3", "ftplib", "smtplib", "asyncio"}
    root = Path(pellucid.__file__).parent
    found, listens = set(), {"socket", "asyncio"}
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            name = path.relative_to(root).as_posix()
            if {one.split(".")[0] for one in names} & (
                network - listens if name.startswith(("lab/", "serve/", "_web")) else network
            ):
                found.add(name)
    assert found == {"datasets/download.py", "keras/fetching.py", "train/gloo.py"}
