"""A server on this machine that answers as it is told to, and small files for it to give."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.datasets.download import Remote

DATA = np.random.default_rng(0).bytes(300_000)


@dataclass
class Server:
    """Folders of one server, by name: what each answers. `asked` holds every (path, Range) that came."""

    address: str
    answers: dict[str, Callable[[Any], None]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def mirror(self, name: str, answer: Callable[[Any], None]) -> str:
        self.answers[name] = answer
        return f"{self.address}/{name}"


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told.asked.append((self.path, self.headers.get("Range")))
            self.close_connection = True
            with contextlib.suppress(OSError):
                told.answers[self.path.split("/")[1]](self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    told = Server(f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield told
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def send(handler: Any, status: int, body: bytes = b"", length: int | None = None, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def ranged(handler: Any, body: bytes, upto: int | None = None) -> None:
    """An honest server, which knows ranges; its connection may break after so many bytes."""
    asked = handler.headers.get("Range")
    if asked is None:
        return send(handler, 200, body[:upto], len(body))
    start = int(asked.removeprefix("bytes=").rstrip("-"))
    rest = body[start:]
    place = f"bytes {start}-{len(body) - 1}/{len(body)}"
    return send(handler, 206, rest[:upto], len(rest), Content_Range=place)


def honest(handler: Any) -> None:
    ranged(handler, DATA)


def remote(*mirrors: str, data: bytes = DATA, name: str = "file.bin") -> Remote:
    return Remote(name, hashlib.sha256(data).hexdigest(), len(data), mirrors)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def archive(path: Path, files: dict[str, bytes]) -> bytes:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path.read_bytes()
