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

from pellucid._web import Place

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
    """The two tokens, and where this server is reached.

    framed_by: other pages that may hold this one in a frame.
    """

    place: Place
    framed_by: tuple[str, ...] = ()
    tokens: Mapping[Role, str] = field(default_factory=lambda: {role: secrets.token_urlsafe(18) for role in Role})

    @classmethod
    def to(cls, host: str, port: int, framed_by: Iterable[str] = ()) -> Access:
        """For a server that listens there."""
        return cls(Place.of(host, port), tuple(framed_by))

    def role_of(self, token: str) -> Role | None:
        """Whose token it is, in a time that does not depend on the token."""
        given = token.encode("utf-8", "surrogatepass")
        fits = [(role, hmac.compare_digest(given, known.encode())) for role, known in self.tokens.items()]
        return next((role for role, same in fits if same), None)

    def address(self, role: Role, extra: str = "") -> str:
        """Where somebody of this role finds the page."""
        return f"{self.place.url}/{self.tokens[role]}/{extra}"

    @property
    def headers(self) -> dict[str, str]:
        """What every answer carries: only this server's own files run, and nobody else frames or reads them."""
        frames = " ".join(("'self'", *self.framed_by))
        sockets = " ".join(f"ws://{name}:{self.place.port}" for name in sorted(self.place.names) if ":" not in name)
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
