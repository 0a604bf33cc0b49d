"""The server: the page's files and one WebSocket, behind tokens."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from importlib import resources

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from pellucid.lab.hub import Hub
from pellucid.lab.security import Access

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
INDEX = "index.html"


def page_files() -> dict[str, tuple[bytes, str]]:
    """The page: each file's bytes and kind by its name. Nothing else is ever served."""
    found = {}
    for file in (resources.files("pellucid.lab") / "page").iterdir():
        ending = "." + file.name.rpartition(".")[2]
        if ending in TYPES:
            found[file.name] = (file.read_bytes(), TYPES[ending])
    return found


def make_app(hub: Hub, access: Access) -> ASGIApp:
    """The application; it starts and ends the hub's painter."""
    files = page_files()

    async def file(request: Request) -> Response:
        found = files.get(request.path_params.get("name", INDEX))
        if found is None:
            return PlainTextResponse("there is no such page", 404)
        return Response(found[0], media_type=found[1])

    async def socket(connection: WebSocket) -> None:
        role = access.role_of(connection.path_params["token"])
        if role is not None:
            await hub.serve(connection, role)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        hub.begin()
        yield
        hub.close()

    routes = [
        WebSocketRoute("/{token}/socket", socket),
        Route("/{token}/", file, methods=["GET"]),
        Route("/{token}/{name}", file, methods=["GET"]),
    ]
    return Guard(Starlette(routes=routes, lifespan=lifespan), access)


class Guard:
    """Stands before every route: who may not come in gets 403, whatever was asked for; nobody may send a body."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        refusal = self._refusal(scope, headers)
        if refusal is None:
            await self._app(scope, receive, self._with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it was accepted: 403
        else:
            await refusal(scope, receive, self._with_headers(send))

    def _refusal(self, scope: Scope, headers: dict[bytes, list[bytes]]) -> Response | None:
        socket, said = scope["type"] == "websocket", {}
        for name in (b"host", b"origin"):
            values = headers.get(name, [])
            if len(values) > 1:
                return PlainTextResponse("forbidden", 403)
            said[name] = values[0].decode("latin-1") if values else None
        token = scope["path"].split("/")[1]
        known = self._access.role_of(token) is not None
        if not known or not self._access.allows(said[b"host"], said[b"origin"], socket=socket):
            return PlainTextResponse("forbidden: open the address that pellucid lab printed, with its token", 403)
        if socket:
            return None
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("only GET", 405, headers={"Allow": "GET", "Connection": "close"})
        if b"transfer-encoding" in headers or headers.get(b"content-length", [b"0"]) != [b"0"]:
            return PlainTextResponse("send no body", 413, headers={"Connection": "close"})
        return None

    def _with_headers(self, send: Send) -> Send:
        own = [(name.lower().encode(), value.encode()) for name, value in self._access.headers.items()]

        async def sending(message: dict[str, object]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *own]}  # type: ignore[misc]
            await send(message)

        return sending  # type: ignore[return-value]
