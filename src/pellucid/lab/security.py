"""Who may come in: by the token in the address, from this machine's own page, and not too often.

Every address is /TOKEN/NAME. A browser on another site knows no token, and what it sends names that site (Origin) or
the name under which it was led here (Host): each is refused with 403, the WebSocket too.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

LOCAL = ("127.0.0.1", "localhost")

NOTEBOOKS = ("http://localhost:*", "http://127.0.0.1:*")
"""Whose pages may frame the lab, where it is shown below a notebook's cell."""

MESSAGES_PER_S, BURST = 60.0, 180.0
"""What a viewer may send in the long run, and at once."""


class Role(Enum):
    """What a viewer may do: all, or look."""

    OWNER = "owner"
    VIEWER = "viewer"


@dataclass(frozen=True)
class Access:
    """The two tokens, and the names under which this server is reached.

    framed_by: other pages that may hold this one in a frame.
    """

    hosts: frozenset[str]
    port: int
    framed_by: tuple[str, ...] = ()
    tokens: Mapping[Role, str] = field(default_factory=lambda: {role: secrets.token_urlsafe(18) for role in Role})

    @classmethod
    def to(cls, host: str, port: int, framed_by: Iterable[str] = ()) -> Access:
        """For a server that listens there; by the names of this machine where it listens everywhere."""
        names = {*LOCAL, host.lower()} if host not in ("0.0.0.0", "::") else {*LOCAL, *_own_names()}
        return cls(frozenset(names), port, tuple(framed_by))

    def role_of(self, token: str) -> Role | None:
        """Whose token it is, in a time that does not depend on the token."""
        given = token.encode("utf-8", "surrogatepass")
        fits = [(role, hmac.compare_digest(given, known.encode())) for role, known in self.tokens.items()]
        return next((role for role, same in fits if same), None)

    def allows(self, host: str | None, origin: str | None, *, named: bool = False) -> bool:
        """Whether a request with these headers comes from this server's own page, or from no page.

        named: it must say where it comes from, as a WebSocket and whoever sends a file.
        """
        if host is None or not self._is_own(host):
            return False
        if origin is None:
            return not named
        scheme, _, rest = origin.partition("://")
        return scheme == "http" and self._is_own(rest)

    def _is_own(self, address: str) -> bool:
        name, colon, port = address.lower().rpartition(":")
        if not colon or not port.isdigit() or int(port) != self.port:
            return self.port == 80 and address.lower() in self.hosts
        return name.strip("[]") in self.hosts

    def address(self, role: Role, host: str, extra: str = "") -> str:
        """Where somebody of this role finds the page."""
        name = LOCAL[0] if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        return f"http://{name}:{self.port}/{self.tokens[role]}/{extra}"

    @property
    def headers(self) -> dict[str, str]:
        """What every answer carries: only this server's own files run, and nobody else frames or reads them."""
        frames = " ".join(("'self'", *self.framed_by))
        sockets = " ".join(f"ws://{name}:{self.port}" for name in sorted(self.hosts) if ":" not in name)
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
            f"connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; frame-ancestors {frames}"
        )
        framing = {} if self.framed_by else {"X-Frame-Options": "SAMEORIGIN"}
        return {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "geolocation=(), microphone=()",
            "Cache-Control": "no-store",
            **framing,
        }


class Rate:
    """Counts what a viewer sends: MESSAGES_PER_S in the long run, and BURST of them at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._left, self._last = clock, BURST, clock()

    def ok(self) -> bool:
        """Take one; False where there is none left."""
        now = self._clock()
        self._left = min(BURST, self._left + (now - self._last) * MESSAGES_PER_S)
        self._last = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _own_names() -> set[str]:
    import socket

    name = socket.gethostname().lower()
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(name, None)}
    except OSError:
        addresses = set()
    return {name, f"{name}.local", *addresses}
