"""A lab on the digits in the package, and whoever looks at it without a browser."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.testclient import TestClient, WebSocketTestSession

from pellucid.lab.app import make_app
from pellucid.lab.hub import Hub
from pellucid.lab.prepare import Start, prepare
from pellucid.lab.protocol import read_bundle
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
        self._heard = deque[tuple[dict[str, Any], list[np.ndarray]]]()
        self.hello = self.until("hello")

    def say(self, **message: Any) -> None:
        self.socket.send_text(json.dumps(message))

    def hear(self) -> Iterator[tuple[dict[str, Any], list[np.ndarray]]]:
        """Whatever comes, one after the other: a text, or the head of a frame and its numbers."""
        while True:
            while self._heard:
                yield self._heard.popleft()
            message = self.socket.receive()
            self._heard.extend(
                [(json.loads(message["text"]), [])] if message.get("text") else read_bundle(message["bytes"])
            )

    def until(self, *kinds: str, **having: Any) -> dict[str, Any]:
        """What comes next of one of these types in which these have these values."""
        return next(found for found, _ in self.hear() if found.get("type") in kinds and having.items() <= found.items())

    def frame(self, **view: Any) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Watch one view; its first frame."""
        self.say(type="watch", views=[view])
        return next((head, arrays) for head, arrays in self.hear() if view.items() <= head.items())

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
