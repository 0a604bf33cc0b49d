"""A lab on the digits in the package, and whoever looks at it without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.testclient import TestClient, WebSocketTestSession

from pellucid.lab.app import make_app
from pellucid.lab.hub import Hub
from pellucid.lab.prepare import Start, prepare
from pellucid.lab.protocol import read_frame
from pellucid.lab.security import Access, Role
from pellucid.lab.session import Session

PORT = 8765
HOST = f"127.0.0.1:{PORT}"
OWN = f"http://{HOST}"


@dataclass
class Served:
    """A lab behind a test client, and how to come in."""

    client: TestClient
    session: Session
    hub: Hub
    access: Access

    def path(self, name: str = "", role: Role = Role.OWNER) -> str:
        return f"/{self.access.tokens[role]}/{name}"

    @contextmanager
    def socket(self, role: Role = Role.OWNER) -> Iterator[Page]:
        with self.client.websocket_connect(self.path("socket", role), headers={"origin": OWN, "host": HOST}) as socket:
            yield Page(socket)


class Page:
    """What a page does, without showing anything."""

    def __init__(self, socket: WebSocketTestSession) -> None:
        self.socket = socket
        self.hello = self.until("hello")

    def say(self, **message: Any) -> None:
        self.socket.send_text(json.dumps(message))

    def until(self, kind: str, **having: Any) -> dict[str, Any]:
        """The next text of this type in which these have these values."""
        while True:
            message = self.socket.receive()
            found = json.loads(message["text"]) if message.get("text") else {}
            if found.get("type") == kind and all(found.get(name) == value for name, value in having.items()):
                return found

    def frame(self, **view: Any) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Watch one view; its first frame."""
        self.say(type="watch", views=[view])
        while True:
            message = self.socket.receive()
            if message.get("bytes"):
                head, arrays = read_frame(message["bytes"])
                if all(head.get(name) == value for name, value in view.items()):
                    return head, arrays

    def ask(self, **view: Any) -> dict[str, Any]:
        self.say(type="ask", id=7, **view)
        answer: dict[str, Any] = self.until("answer", id=7)["of"]
        return answer


@contextmanager
def serving(start: Start | None = None) -> Iterator[Served]:
    session = Session(start or prepare())
    access, hub = Access.to("127.0.0.1", PORT), Hub(session, "en")
    session.begin()
    try:
        with TestClient(make_app(hub, access), base_url=OWN) as client:
            yield Served(client, session, hub, access)
    finally:
        session.close()
