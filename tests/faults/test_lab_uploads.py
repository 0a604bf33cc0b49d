"""Picture files that strangers send to the lab: from other sites, without end, far too large, or no pictures at all."""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import time
import zlib

import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")
pytest.importorskip("uvicorn", reason="the extra lab is not installed")

from lab_client import HOST, OWN, PORT, Served
from PIL import Image

from pellucid.datasets.pictures import MAX_SENT_BYTES
from pellucid.lab import app
from pellucid.lab.launch import Lab
from pellucid.lab.security import Role


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, packed: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def sound() -> bytes:
    to = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(to, "PNG")
    return to.getvalue()


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": ""}, {"origin": f"https://127.0.0.1:{PORT}"},
        {"origin": OWN, "host": "evil.example"}, {"origin": OWN, "host": f"127.0.0.1.evil.example:{PORT}"}, {},
    ],
    ids=str,
)  # fmt: skip
def test_only_the_page_itself_sends_pictures(served: Served, headers: dict[str, str]) -> None:
    assert served.client.post(served.path("picture"), content=sound(), headers=headers).status_code == 403
    own = {"origin": OWN, "host": HOST}
    assert served.client.post("/nobody/picture", content=sound(), headers=own).status_code == 403
    for name in ("", "pictures", "picture/", "index.html"):
        assert served.client.post(served.path(name), content=sound(), headers=own).status_code in (404, 405)
    assert served.client.put(served.path("picture"), content=sound(), headers=own).status_code == 405
    assert served.client.post(served.path("picture"), content=sound(), headers=own).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"", b"nothing", b"GIF89a", b"\x89PNG\r\n\x1a\n", sound()[:48], b"%PDF-1.4", b"BM" + b"\xff" * 99,
        png(4, 4, b"garbage"), png(0, 0), png(2**31 - 1, 2**31 - 1),
    ],
    ids=range(10),
)  # fmt: skip
def test_what_is_no_picture_gets_a_sentence(served: Served, content: bytes) -> None:
    answer = served.client.post(served.path("picture"), content=content, headers={"origin": OWN, "host": HOST})
    assert answer.status_code == 400
    problem = answer.json()["problem"]
    assert "picture" in problem and "pellucid-" not in problem and "Traceback" not in problem


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (100_000, 700), (5_700, 5_700)])
def test_picture_bombs_are_refused_by_their_header(served: Served, width: int, height: int) -> None:
    bomb = png(width, height, zlib.compress(bytes(10**6)))
    start = time.process_time()
    answer = served.client.post(served.path("picture"), content=bomb, headers={"origin": OWN, "host": HOST})
    assert answer.status_code == 400 and "million" in answer.json()["problem"]
    assert time.process_time() - start < 2


def head_of(lab: Lab, *lines: str) -> bytes:
    host, port, token = "127.0.0.1", lab._access.place.port, lab._access.tokens[Role.VIEWER]
    own = (f"POST /{token}/picture HTTP/1.1", f"Host: {host}:{port}", f"Origin: http://{host}:{port}")
    return "\r\n".join((*own, *lines, "", "")).encode()


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Content-Length: 1000000000", b"413"), (f"Content-Length: {MAX_SENT_BYTES + 1}", b"413"),
        ("Content-Length: " + "9" * 18, b"413"), ("Transfer-Encoding: chunked", b"411"), ("X: 1", b"411"),
    ],
)  # fmt: skip
def test_too_much_is_refused_before_it_is_read(lab: Lab, line: str, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", lab._access.place.port), timeout=10) as sent:
        sent.sendall(head_of(lab, line))
        assert sent.recv(1000).startswith(b"HTTP/1.1 " + status)
        with contextlib.suppress(ConnectionError):  # closed: nobody reads the rest
            for _ in range(200):
                sent.sendall(b"x" * 65536)
            pytest.fail("13 MB were read that nobody wants")


def test_who_dawdles_or_breaks_off_holds_up_nobody(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "SENDING_S", 0.2)
    address = ("127.0.0.1", lab._access.place.port)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(address, timeout=10)) for _ in range(app.MAX_SENDING)]
        for each in slow:
            each.sendall(head_of(lab, "Content-Length: 5000") + b"x")
        assert {each.recv(100).split()[1] for each in slow} <= {b"408", b"503"}
    with socket.create_connection(address, timeout=10) as gone:
        gone.sendall(head_of(lab, "Content-Length: 5000") + b"x")
    with socket.create_connection(address, timeout=10) as sent:
        sent.sendall(head_of(lab, f"Content-Length: {len(sound())}") + sound())
        assert sent.recv(100).split()[1] == b"200"
