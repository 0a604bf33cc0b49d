"""HTTP as uvicorn and httptools speak it, with a bound on what comes before a request's body."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 16 * 1024
"""Bytes of a request's line and headers; httptools itself has no bound."""


class Bounded(HttpToolsProtocol):
    """Closes a connection whose head is longer."""

    _head, _in_head = 0, True

    def on_message_begin(self) -> None:
        """A request begins."""
        self._head, self._in_head = 0, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its body follows."""
        self._in_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        self._head += len(data)
        if self._in_head and self._head > MAX_HEAD + len(data):
            self.transport.close()
            return
        super().data_received(data)
