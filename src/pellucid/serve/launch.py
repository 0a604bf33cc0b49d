"""Starting the server, from the command line."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from pellucid._modules import optional
from pellucid._web import LOOPBACK, QUIET, Place, listen

if TYPE_CHECKING:
    from pellucid.model import Model

PORT = 8000
"""Where a free port is looked for first."""

NEEDS = ("starlette", "uvicorn", "httptools", "python_multipart", "prometheus_client")


def expect_installed() -> None:
    """Errors: ConfigError where the extra `serve` is not there."""
    for name in NEEDS:
        optional(name, "serve", "pellucid serve")


class Served:
    """A server that listens and does not answer yet. url: its page; token: what requests must carry, or None.

    Beyond this machine a token is always wanted: one is drawn where none is given.
    Errors: ConfigError where the extra is not installed, the port is taken, or the network gives no classes.
    """

    def __init__(
        self, model: Model, *, host: str, port: int | None, token: str | None, top: int, batch_size: int
    ) -> None:
        expect_installed()
        from pellucid.serve.answering import Answerer

        self._answerer = Answerer(model, top=top, batch_size=batch_size)
        self._socket = listen(host, port, first=PORT)
        self.place = Place.of(host, self._socket.getsockname()[1])
        self.token = token or (None if host in LOOPBACK else secrets.token_urlsafe(18))

    @property
    def url(self) -> str:
        """The page, with the token that it passes on."""
        return f"{self.place.url}/" + (f"?token={self.token}" if self.token else "")

    def run(self) -> None:
        """Answer until Ctrl-C or SIGTERM; what was asked before is answered still."""
        import logging

        import uvicorn

        from pellucid.serve.app import make_app
        from pellucid.serve.protocol import Bounded

        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # a stranger's forms are no news
        config = uvicorn.Config(
            make_app(self._answerer, token=self.token, place=self.place),
            http=Bounded,
            ws="none",
            timeout_graceful_shutdown=5,
            limit_concurrency=2048,
            **QUIET,
        )
        try:
            uvicorn.Server(config).run(sockets=[self._socket])
        except KeyboardInterrupt:
            pass
        finally:
            self._socket.close()
