"""Downloads, against a server on this machine that misbehaves in every usual way."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mirrors import DATA, Server, honest, names_in, ranged, remote, send

from pellucid.datasets import download
from pellucid.datasets.download import fetch
from pellucid.errors import DataError

HTML = b"<!DOCTYPE html><html><body>Please accept our terms</body></html>"


# What a mirror may do, and what is said of it ------------------------------------------------------------------------

FAULTS: list[tuple[str, Callable[[Any], None], str]] = [
    ("not there", lambda h: send(h, 404), "it answers 404"),
    ("forbidden", lambda h: send(h, 403, HTML, Content_Type="text/html"), "it answers 403 Forbidden"),
    ("overloaded", lambda h: send(h, 503, Retry_After="3600"), "it answers 503 Service Unavailable"),
    ("no content", lambda h: send(h, 204), "it answers 204"),
    ("web page", lambda h: send(h, 200, HTML, Content_Type="text/html; charset=utf-8"), "web page instead of the file"),
    ("web page called data", lambda h: send(h, 200, HTML), f"its file has {len(HTML)} bytes, expected 300000"),
    ("web page as long as data", lambda h: send(h, 200, HTML.ljust(len(DATA))), "SHA-256 hash is another"),
    ("other bytes", lambda h: send(h, 200, DATA[:-1] + b"?"), "SHA-256 hash is another"),
    ("longer", lambda h: send(h, 200, DATA + b"?"), "its file has 300001 bytes"),
    ("longer than it says", lambda h: h.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + DATA * 40), "sends more than 300000"),
    ("empty", lambda h: send(h, 200), "its file has 0 bytes"),
    ("nothing at all", lambda h: None, "aborted|closed|reset|without response"),
    ("no HTTP", lambda h: h.wfile.write(b"SSH-2.0-OpenSSH\r\n"), r"SSH-2\.0|BadStatusLine"),
    ("a range of its own", lambda h: send(h, 206, DATA, Content_Range="bytes 7-9/10"), "it answers 206"),
    ("redirect to a file", lambda h: send(h, 302, Location="file:///etc/passwd"), "redirects from http to file"),
    ("redirect to ftp", lambda h: send(h, 301, Location="ftp://127.0.0.1:9/x"), "redirects from http to ftp"),
    ("redirect to code", lambda h: send(h, 307, Location="javascript:alert(1)"), "redirects from http to javascript"),
    ("redirect in a circle", lambda h: send(h, 302, Location=h.path), "redirects more than 5 times"),
    ("redirect nowhere", lambda h: send(h, 302, Location="http://[::1"), "IPv6|Invalid"),
]


@pytest.mark.parametrize(("answer", "message"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_after_a_bad_mirror_the_next_is_asked(
    server: Server, tmp_path: Path, answer: Callable[[Any], None], message: str
) -> None:
    bad, good = server.mirror("bad", answer), server.mirror("good", honest)
    path = fetch(remote(bad, good), tmp_path / "into")
    assert path.read_bytes() == DATA and names_in(tmp_path / "into") == ["file.bin"]
    with pytest.raises(
        DataError, match=rf"file\.bin could not be downloaded: {bad}/file\.bin \(.*({message})"
    ) as caught:
        fetch(remote(bad), tmp_path / "again")
    assert f"(SHA-256 {hashlib.sha256(DATA).hexdigest()}) and put it into {tmp_path / 'again'}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "file.bin" not in names_in(tmp_path / "again")


def test_every_mirror_is_named_in_one_message(server: Server, tmp_path: Path) -> None:
    mirrors = [server.mirror(f"m{number}", row[1]) for number, row in enumerate(FAULTS)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        mirrors.append(f"http://127.0.0.1:{free.getsockname()[1]}")
    mirrors.append("http://nowhere.invalid")
    with pytest.raises(DataError) as caught:
        fetch(remote(*mirrors), tmp_path)
    message = str(caught.value)
    assert all(f"{mirror}/file.bin (" in message for mirror in mirrors)
    assert "Connection refused" in message


def test_a_redirect_to_https_is_followed_and_one_back_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network: the answers are made here."""
    import requests

    asked = []

    class Answer:
        is_redirect = True

        def __init__(self, place: str) -> None:
            self.headers = {"Location": place}

        def close(self) -> None:
            pass

    places = {"http://a/x": "https://b/x", "https://b/x": "http://c/x"}

    def get(url: str, **options: object) -> Answer:
        asked.append(url)
        return Answer(places[url])

    monkeypatch.setattr(requests, "get", get)
    with pytest.raises(download._Failed, match="redirects from https to http"):
        download._answer("http://a/x", 0)
    assert asked == ["http://a/x", "https://b/x"]


def test_a_redirect_to_another_folder_is_followed(server: Server, tmp_path: Path) -> None:
    server.mirror("good", honest)
    moved = server.mirror("moved", lambda h: send(h, 302, Location="/good/file.bin"))
    assert fetch(remote(moved), tmp_path).read_bytes() == DATA


# Going on where it was cut off ---------------------------------------------------------------------------------------


def test_a_cut_connection_is_continued(server: Server, tmp_path: Path) -> None:
    cut = server.mirror("cut", lambda h: ranged(h, DATA, upto=120_000))
    seen: list[tuple[int, int, str]] = []
    path = fetch(remote(cut), tmp_path, progress=lambda *told: seen.append(told))
    assert path.read_bytes() == DATA
    assert [start for _, start in server.asked] == [None, "bytes=120000-", "bytes=240000-"]
    assert seen[-1] == (300_000, 300_000, "downloading file.bin")
    assert [done for done, *_ in seen] == sorted(done for done, *_ in seen), "no byte counts twice"


def test_another_mirror_and_another_day_continue_it_too(server: Server, tmp_path: Path) -> None:
    def once(handler: Any) -> None:
        if handler.headers.get("Range"):
            return send(handler, 503)
        return ranged(handler, DATA, upto=100_000)

    cut, good = server.mirror("cut", once), server.mirror("good", honest)
    with pytest.raises(DataError, match="it answers 503"):
        fetch(remote(cut), tmp_path)
    assert names_in(tmp_path) == [".file.bin.part"]
    assert fetch(remote(good), tmp_path).read_bytes() == DATA
    assert server.asked[-1] == ("/good/file.bin", "bytes=100000-")
    assert names_in(tmp_path) == ["file.bin"]


def test_a_server_without_ranges_begins_anew(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".file.bin.part").write_bytes(DATA[:777])
    plain = server.mirror("plain", lambda h: send(h, 200, DATA))
    assert fetch(remote(plain), tmp_path).read_bytes() == DATA


@pytest.mark.parametrize("left", [b"?" * 1000, b"?" * 300_000, b"?" * 300_001, DATA])
def test_what_was_left_over_is_not_trusted(server: Server, tmp_path: Path, left: bytes) -> None:
    """A part of another file, a whole wrong one, one that is too long; and a whole one that had no name yet."""
    (tmp_path / ".file.bin.part").write_bytes(left)
    good = server.mirror("good", honest)
    assert fetch(remote(good), tmp_path).read_bytes() == DATA
    assert names_in(tmp_path) == ["file.bin"] and len(server.asked) == (
        0 if left == DATA else 1 + (len(left) < 300_000)
    )


def test_a_mirror_that_never_ends_is_left(server: Server, tmp_path: Path) -> None:
    drops = server.mirror("drops", lambda h: ranged(h, DATA, upto=10))
    with pytest.raises(DataError, match="after 50 of 300000 bytes"):
        fetch(remote(drops), tmp_path)
    assert len(server.asked) == download.ATTEMPTS


def test_a_silent_mirror_is_left(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT_S", 0.3)
    done = threading.Event()

    def silent(handler: Any) -> None:
        ranged(handler, DATA, upto=1000)
        done.wait(20)

    slow, good = server.mirror("slow", silent), server.mirror("good", honest)
    try:
        assert fetch(remote(slow, good), tmp_path).read_bytes() == DATA
    finally:
        done.set()


# Its place on the disk -----------------------------------------------------------------------------------------------


def test_a_file_that_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(DATA)
    assert fetch(remote("http://127.0.0.1:9"), tmp_path).read_bytes() == DATA


def test_a_damaged_file_of_the_name_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(DATA[:-1])
    assert fetch(remote(server.mirror("good", honest)), tmp_path).read_bytes() == DATA


def test_the_name_comes_last(server: Server, tmp_path: Path) -> None:
    """At every progress report the file is not there under its name."""
    seen = []
    good = server.mirror("good", honest)
    fetch(remote(good), tmp_path, progress=lambda *told: seen.append(names_in(tmp_path)))
    assert len(seen) > 2 and all(names == [".file.bin.part"] for names in seen)


def test_a_disk_that_is_full_is_said_at_once(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = server.mirror("good", honest)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: Free(1000))
    with pytest.raises(DataError, match="has no room for"):
        fetch(remote(good), tmp_path)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: Free(10**9))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"file\.bin: cannot be written \(No space left on device\)"):
        fetch(remote(good, good), tmp_path)
    assert len(server.asked) == 1, "another mirror would not help"
    assert names_in(tmp_path) == [".file.bin.part"]


@dataclass
class Free:
    free: int


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"file/into/file\.bin: cannot be written"):
        fetch(remote("http://127.0.0.1:9"), tmp_path / "file" / "into")
