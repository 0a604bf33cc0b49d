"""Starting the lab, from the command line or in the background of a program, and ending it in good order."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid._language import language
from pellucid._modules import optional
from pellucid._text import markup
from pellucid._web import LOCAL, QUIET, listen
from pellucid.lab.prepare import Start, prepare
from pellucid.lab.security import NOTEBOOKS, Access, Role
from pellucid.lab.session import Session
from pellucid.ops.geometry import whole

if TYPE_CHECKING:
    import uvicorn

    from pellucid.lab.hub import Hub

PORT = 8765
"""Where the command looks for a free port first."""

NEEDS = ("starlette", "uvicorn", "websockets")


class Lab:
    """A lab that runs. url: of who steers; viewer_url: of who looks. In a notebook it shows itself."""

    def __init__(
        self, start: Start, listening: socket.socket, access: Access, lang: str | None, folder: Path | None
    ) -> None:
        self.session = Session(start, folder=folder)
        self.height = 760
        self._access, self._socket = access, listening
        self._server, self._hub = _server(self.session, access, lang)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address of whoever steers the training; to be kept."""
        return self._access.address(Role.OWNER)

    @property
    def viewer_url(self) -> str:
        """The address for a class: it looks, and changes nothing."""
        return self._access.address(Role.VIEWER)

    def run(self) -> Path | None:
        """Serve until Ctrl-C or SIGTERM; the file in which the network was kept, where it learned anything.

        Errors: SystemExit where SIGTERM came, with everything kept.
        """
        self.session.begin()
        try:
            with contextlib.suppress(KeyboardInterrupt):
                self._server.run(sockets=[self._socket])
        finally:
            kept = self.session.close()
            self._socket.close()
        return kept

    def start(self) -> None:
        """Serve in the background."""
        self.session.begin()
        served = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="pellucid lab: server", daemon=True
        )
        self._thread = served
        served.start()

    def close(self) -> Path | None:
        """End the server and the training; the network keeps what it has learned."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(10)
        kept = self.session.close()
        self._socket.close()
        return kept

    def __repr__(self) -> str:
        return f"<Lab {self.session.model.name!r} at {self.url}>"

    def _repr_html_(self) -> str:
        address, height = markup(self.url), self.height
        return (
            f'<iframe src="{address}" title="Pellucid lab" allow="camera; fullscreen" '
            f'style="width:100%;height:{height}px;border:0;border-radius:8px"></iframe>'
            f'<p style="font-size:small"><a href="{address}" target="_blank" rel="noreferrer">{address}</a></p>'
        )


def start(model: Any, data: Any, *, lang: str | None, port: int, folder: str | Path | None, height: int) -> Lab:
    """As `pellucid.lab.show`."""
    lab = make_lab(
        lambda: prepare(model, data), port=port, host=LOCAL[0], lang=lang, notebook=True,
        folder=lambda _: None if folder is None else Path(folder),
    )  # fmt: skip
    lab.height = whole(height, "lab: height", 10_000)
    lab.start()
    return lab


def make_lab(
    begin: Callable[[], Start],
    *,
    port: int | None,
    host: str,
    lang: str | None,
    folder: Callable[[Start], Path | None],
    notebook: bool = False,
) -> Lab:
    """A lab that listens but does not serve yet. port: None for the first free one from PORT on, 0 for any.

    begin: makes what it trains, once it is clear that it can be served. notebook: pages of a notebook may frame it.
    Errors: ConfigError where the extra is not installed, or the port is taken.
    """
    said = None if lang is None else language(lang)
    for name in NEEDS:
        optional(name, "lab", "the lab")
    listening = listen(host, port, first=PORT)
    try:
        made = begin()
        access = Access.to(host, listening.getsockname()[1], NOTEBOOKS if notebook else ())
        return Lab(made, listening, access, said, folder(made))
    except BaseException:
        listening.close()
        raise


def _server(session: Session, access: Access, lang: str | None) -> tuple[uvicorn.Server, Hub]:
    import uvicorn

    from pellucid.lab.app import make_app
    from pellucid.lab.hub import Hub
    from pellucid.lab.protocol import MAX_MESSAGE

    hub = Hub(session, lang)
    config = uvicorn.Config(
        make_app(hub, access),
        http="h11",  # which bounds a request's head
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE,
        ws_per_message_deflate=False,  # maps of a network in training hardly become smaller
        ws_ping_interval=20,
        ws_ping_timeout=20,
        h11_max_incomplete_event_size=16 * 1024,
        timeout_graceful_shutdown=2,
        limit_concurrency=600,
        **QUIET,
    )
    return uvicorn.Server(config), hub
