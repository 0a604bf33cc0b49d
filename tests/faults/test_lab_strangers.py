"""Strangers at the lab's server: from other sites, without a token, with too much, too often, or with nonsense."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
import struct
import time

import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")
pytest.importorskip("uvicorn", reason="the extra lab is not installed")

from lab_client import HOST, OWN, PORT, Served
from starlette.websockets import WebSocketDisconnect

from pellucid._web import page_files
from pellucid.lab.exports import EXPORTS
from pellucid.lab.launch import Lab
from pellucid.lab.protocol import MAX_MESSAGE
from pellucid.lab.security import BURST, Access, Rate, Role

NAMES = ["", "index.html", "socket", "nothing.js", "style.css", *EXPORTS]
FOREIGN = [
    {"host": "evil.example"}, {"host": f"evil.example:{PORT}"}, {"host": "127.0.0.1:80"}, {"host": "127.0.0.1"},
    {"host": f"127.0.0.1.evil.example:{PORT}"}, {"host": ""}, {"host": f"evil@127.0.0.1:{PORT}"},
    {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": f"https://127.0.0.1:{PORT}"},
    {"origin": "http://127.0.0.1:1"}, {"origin": f"http://127.0.0.1.evil.example:{PORT}"}, {"origin": "file://"},
]  # fmt: skip


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_other_sites_are_refused(served: Served, headers: dict[str, str]) -> None:
    for name in NAMES:
        assert served.client.get(served.path(name), headers=headers).status_code == 403
    with (
        pytest.raises(WebSocketDisconnect),
        served.client.websocket_connect(served.path("socket"), headers={"origin": OWN, "host": HOST, **headers}),
    ):
        pass


@pytest.mark.parametrize("token", ["", "x", "é" * 9, "a" * 5000, "..", "%00", "static"])
def test_without_the_token_nothing_is_there(served: Served, token: str) -> None:
    for name in NAMES:
        assert served.client.get(f"/{token}/{name}").status_code == 403
    assert served.client.get("/").status_code == 403
    assert served.client.get(served.path()[:-2] + "/").status_code == 403
    with (
        pytest.raises(WebSocketDisconnect),
        served.client.websocket_connect(f"/{token}/socket", headers={"origin": OWN, "host": HOST}),
    ):
        pass


def test_a_socket_must_say_where_it_comes_from(served: Served) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        served.client.websocket_connect(served.path("socket"), headers={"host": HOST}),
    ):
        pass


@pytest.mark.parametrize(
    "name",
    ["../__init__.py", "..%2f__init__.py", "%2e%2e/app.py", "/etc/passwd", "//etc/passwd", "page/index.html",
     "index.html/", "index.html%00.js", "..\\app.py", "C:\\x", "index.html?x", "INDEX.HTML"],
)  # fmt: skip
def test_there_is_nothing_but_the_page(served: Served, name: str) -> None:
    answer = served.client.get(served.path(name), follow_redirects=False)
    expected = (200,) if name == "index.html?x" else (403, 404, 307)
    assert answer.status_code in expected
    assert "import annotations" not in answer.text and "root:" not in answer.text


def test_every_file_of_the_page_comes_with_a_strict_policy(served: Served) -> None:
    files = page_files("pellucid.lab")
    assert {"index.html", "style.css", "main.js", "words.js"} <= set(files)
    for name, (content, kind) in files.items():
        answer = served.client.get(served.path(name))
        assert answer.content == content and answer.headers["content-type"].startswith(kind)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", content), f"{name} names another site"


def test_only_a_notebook_may_frame_it() -> None:
    alone, shown = Access.to("127.0.0.1", PORT), Access.to("127.0.0.1", PORT, ("http://localhost:*",))
    assert alone.headers["Content-Security-Policy"].endswith("frame-ancestors 'self'")
    assert alone.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert shown.headers["Content-Security-Policy"].endswith("frame-ancestors 'self' http://localhost:*")


def test_tokens_differ_and_are_long() -> None:
    access = Access.to("192.168.0.9", PORT)
    assert access.tokens[Role.OWNER] != access.tokens[Role.VIEWER]
    assert all(len(token) >= 24 for token in access.tokens.values())
    assert access.role_of(access.tokens[Role.VIEWER]) is Role.VIEWER and access.role_of("") is None
    assert access.place.allows(f"192.168.0.9:{PORT}", f"http://192.168.0.9:{PORT}", named=True)
    assert not access.place.allows(f"192.168.0.8:{PORT}", None) and not access.place.allows(None, None)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_sent_but_messages(served: Served, method: str) -> None:
    assert served.client.request(method, served.path(), content=b"x" * 100).status_code == 405
    assert served.client.request("GET", served.path(), content=b"x" * 100).status_code == 413


def test_a_large_upload_is_refused_before_it_is_read(lab: Lab) -> None:
    host, port, token = "127.0.0.1", lab._access.place.port, lab._access.tokens[Role.OWNER]
    with socket.create_connection((host, port), timeout=10) as sent:
        head = f"POST /{token}/ HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 1000000000\r\n\r\n"
        sent.sendall(head.encode() + b"x" * 1000)
        assert sent.recv(1000).startswith(b"HTTP/1.1 405")
        with contextlib.suppress(ConnectionError):  # closed: nobody reads the rest
            for _ in range(200):
                sent.sendall(b"x" * 65536)
            pytest.fail("13 MB were read that nobody wants")


def test_many_ranges_and_long_headers(lab: Lab) -> None:
    host, port, token = "127.0.0.1", lab._access.place.port, lab._access.tokens[Role.OWNER]
    ranges = ",".join(f"{i}-{i + 1}" for i in range(1000))
    for header, statuses in ((f"Range: bytes={ranges}", (b"200",)), ("X-Long: " + "x" * 2_000_000, (b"400", b"431"))):
        with socket.create_connection((host, port), timeout=10) as sent, contextlib.suppress(ConnectionError):
            sent.sendall(f"GET /{token}/ HTTP/1.1\r\nHost: {host}:{port}\r\n{header}\r\n\r\n".encode())
            assert sent.recv(100).split()[1] in statuses


def shake_hands(lab: Lab, room: int | None = None) -> socket.socket:
    """A WebSocket by hand, for what no client would send. room: bytes for what it has not read."""
    host, port, token = "127.0.0.1", lab._access.place.port, lab._access.tokens[Role.OWNER]
    made = socket.socket()
    if room is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    made.settimeout(10)
    made.connect((host, port))
    made.sendall(
        f"GET /{token}/socket HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: http://{host}:{port}\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert made.recv(12).endswith(b"101")
    return made


def framed(payload: bytes, opcode: int = 1) -> bytes:
    length = bytes([128 | len(payload)]) if len(payload) < 126 else bytes([128 | 126]) + struct.pack(">H", len(payload))
    return bytes([128 | opcode]) + length + bytes(4) + payload


def closes(made: socket.socket, code: int | None = None) -> bool:
    """Whether the other side ends the connection within ten seconds, or says that it does, with this code."""
    end, saying = time.monotonic() + 10, b"" if code is None else struct.pack(">BBH", 0x88, 2, code)
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < end:
            read = made.recv(65536)
            if not read or (saying and saying in read):
                return True
        return False
    return True


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff" * 64,  # reserved bits and an opcode that there is not
        framed(b"\xff\xfe{"),  # no UTF-8
        b"\x81\xff" + struct.pack(">Q", 2**62) + bytes(4),  # 4 EiB to come
        b"\x81\xff" + struct.pack(">Q", MAX_MESSAGE + 1) + bytes(4) + b"x" * (MAX_MESSAGE + 1),
        b"\x01\x05hello",  # not masked
        framed(b"x" * 125, opcode=9)[:1] + b"\xfe\x00\x7f" + bytes(4) + b"x" * 127,  # a ping that is too long
    ],
    ids=["reserved", "utf8", "huge", "large", "unmasked", "ping"],
)  # fmt: skip
def test_malformed_frames_end_the_connection(lab: Lab, frame: bytes) -> None:
    with shake_hands(lab) as made:
        made.sendall(frame)
        assert closes(made)
    with shake_hands(lab):  # others come in as before
        pass


def test_nonsense_gets_a_sentence_and_a_flood_ends(lab: Lab) -> None:
    with shake_hands(lab) as made:
        made.sendall(framed(b"\x00\x01", opcode=2))
        with contextlib.suppress(ConnectionError):
            for _ in range(3000):
                made.sendall(framed(json.dumps({"type": secrets.token_hex(4)}).encode()))
        assert closes(made, 1008)


def test_messages_are_counted() -> None:
    now = 0.0
    rate = Rate(lambda: now)
    assert all(rate.ok() for _ in range(int(BURST))) and not rate.ok()
    now = 1.0
    assert rate.ok()


def test_a_viewer_that_does_not_read_is_dropped(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from pellucid.lab import hub

    monkeypatch.setattr(hub, "STALLED_S", 0.3)
    with shake_hands(lab, room=4096) as idle:
        asked = framed(json.dumps({"type": "ask", "id": 1, "view": "arithmetic", "layer": "affine1"}).encode())
        for _ in range(150):
            idle.sendall(asked)
        end = time.monotonic() + 20
        while lab._hub.viewers and time.monotonic() < end:
            time.sleep(0.05)
        assert not lab._hub.viewers and lab._hub.dropped


def test_names_with_markup_are_text(served: Served) -> None:
    """The page writes no markup of anything that it is told: no innerHTML and the like in any of its modules."""
    for name, (content, _) in page_files("pellucid.lab").items():
        if name.endswith(".js"):
            found = re.search(rb"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", content)
            assert not found, f"{name}: {found}"
