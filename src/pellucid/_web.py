"""What the lab and `pellucid serve` share: where a server listens, whether a request comes from there, a page's files.

A browser on another site can lead a request here: what it sends names that site (Origin), or the name under which it
was led here (Host).
"""

from __future__ import annotations

import contextlib
import socket
import webbrowser
from dataclasses import dataclass
from importlib import resources
from typing import Any

from pellucid.errors import ConfigError
from pellucid.ops.geometry import whole

LOCAL = ("127.0.0.1", "localhost")
LOOPBACK = frozenset({*LOCAL, "::1"})
EVERYWHERE = ("0.0.0.0", "::")

TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}
"""Of a page's files, by their endings."""

QUIET: dict[str, Any] = {
    "timeout_keep_alive": 15,
    "access_log": False,  # it would hold tokens
    "log_level": "critical",
    "server_header": False,
    "date_header": False,
    "proxy_headers": False,
}
"""What uvicorn is told of every server of ours."""

PORTS = 50
"""How many after the first are tried."""

MAX_PORT = 65535
BACKLOG = 256
SEND_BUFFER = 256 * 1024
"""Bytes that the system keeps for somebody who does not read; more would only make what it sees older."""


@dataclass(frozen=True)
class Place:
    """Where a server listens. names: of this machine, as requests may call it."""

    host: str
    port: int
    names: frozenset[str]

    @classmethod
    def of(cls, host: str, port: int) -> Place:
        """With the names of this machine, all of them where it listens everywhere."""
        return cls(host, port, frozenset({*LOCAL, *(_own_names() if host in EVERYWHERE else {host.lower()})}))

    @property
    def url(self) -> str:
        """How somebody at this machine finds it, without a slash at the end."""
        name = LOCAL[0] if self.host in EVERYWHERE else f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{name}:{self.port}"

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
            return self.port == 80 and address.lower() in self.names
        return name.strip("[]") in self.names


def listen(host: str, port: int | None, *, first: int) -> socket.socket:
    """A socket on the port, or on the first free one from `first` on. Errors: ConfigError where there is none, or no
    such host."""
    if port is not None:
        whole(port, "port", MAX_PORT, least=0)
    wanted = range(first, first + PORTS) if port is None else (port,)
    problem: OSError | None = None
    for one in wanted:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            made = socket.create_server((host, one), family=family, backlog=BACKLOG)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            return made
        except OSError as error:
            problem = error
            if port is None and not isinstance(error, socket.gaierror):
                continue
            break
    reason = "" if problem is None else f": {problem.strerror or problem}"
    raise ConfigError(f"cannot listen on {host}:{wanted[0]}{reason}; choose another port or host")


def page_files(package: str) -> dict[str, tuple[bytes, str]]:
    """What lies in a package's folder `page`: each file's bytes and kind by its name."""
    found = {}
    for file in (resources.files(package) / "page").iterdir():
        ending = "." + file.name.rpartition(".")[2]
        if ending in TYPES:
            found[file.name] = (file.read_bytes(), TYPES[ending])
    return found


def open_browser(address: str) -> None:
    """Open the page; a machine without a browser is none the worse."""
    with contextlib.suppress(webbrowser.Error, OSError):
        webbrowser.open(address)


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(name, None)}
    except OSError:
        addresses = set()
    return {name, f"{name}.local", *addresses}
