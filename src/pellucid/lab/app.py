"""The server: the page's files, one WebSocket, what can be downloaded (`exports`), and a place to which picture files
are sent; all behind tokens.

A picture file is the body of a POST to "picture". The answer is JSON: {"picture": its number, "swapped": whether black
and white seem to be swapped}, or with a status from 400 on {"problem": a sentence}, in Korean as `wording.told` has it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from pellucid._web import page_files
from pellucid.datasets.pictures import MAX_SENT_BYTES
from pellucid.errors import PellucidError
from pellucid.lab.exports import EXPORTS, Export
from pellucid.lab.hub import Hub
from pellucid.lab.security import Access, Role
from pellucid.lab.wording import told

INDEX, PICTURE = "index.html", "picture"

MAX_SENDING, SENDING_S = 4, 30.0
"""Picture files that may be on their way at once, and the seconds that each may take."""


def make_app(hub: Hub, access: Access) -> ASGIApp:
    """The application; it starts and ends the hub's painter."""
    files = page_files("pellucid.lab")  # nothing else is ever served

    async def file(request: Request) -> Response:
        name = request.path_params.get("name", INDEX)
        if name in EXPORTS:
            return await _export(hub, EXPORTS[name], access.role_of(request.path_params["token"]))
        found = files.get(name)
        if found is None:
            return PlainTextResponse("there is no such page", 404)
        return Response(found[0], media_type=found[1])

    async def socket(connection: WebSocket) -> None:
        role = access.role_of(connection.path_params["token"])
        if role is not None:
            await hub.serve(connection, role)

    sending = asyncio.Semaphore(MAX_SENDING)

    async def picture(request: Request) -> Response:
        if sending.locked():
            return _problem(503, "too many pictures are sent at once; try again")
        async with sending:
            try:
                async with asyncio.timeout(SENDING_S):
                    content = await request.body()
                number, swapped = await hub.add_picture(content)
            except TimeoutError:
                return _problem(408, f"the picture did not arrive within {SENDING_S:.0f} seconds")
            except PellucidError as error:
                return _problem(400, str(error))
        return JSONResponse({"picture": number, "swapped": swapped})

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        hub.begin()
        yield
        hub.close()

    routes = [
        WebSocketRoute("/{token}/socket", socket),
        Route(f"/{{token}}/{PICTURE}", picture, methods=["POST"]),
        Route("/{token}/", file, methods=["GET"]),
        Route("/{token}/{name}", file, methods=["GET"]),
    ]
    return Guard(Starlette(routes=routes, lifespan=lifespan), access)


async def _export(hub: Hub, export: Export, role: Role | None) -> Response:
    """A file to download, made now."""
    if export.owner and role is not Role.OWNER:
        return PlainTextResponse("forbidden: this address is for looking", 403)
    try:
        content = await asyncio.to_thread(export.make, hub.session)
    except PellucidError as error:
        return PlainTextResponse(str(error), 409)
    headers = {"Content-Disposition": f'attachment; filename="{export.name(hub.session)}"'}
    return Response(content, media_type=export.kind, headers=headers)


def _problem(status: int, text: str) -> Response:
    return JSONResponse(told("problem", text), status, headers={"Connection": "close"})


class Guard:
    """Stands before every route: who may not come in gets 403, whatever was asked for; nobody may send a body, but a
    picture of a known size from the page itself."""

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
        sends = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == f"/{token}/{PICTURE}"
        if not known or not self._access.place.allows(said[b"host"], said[b"origin"], named=socket or sends):
            return PlainTextResponse("forbidden: open the address that pellucid lab printed, with its token", 403)
        if socket:
            return None
        if sends:
            return _size_refusal(headers)
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


def _size_refusal(headers: dict[bytes, list[bytes]]) -> Response | None:
    """What keeps a body from being read: it is too large, or does not say how large it is."""
    said = headers.get(b"content-length", [])
    if b"transfer-encoding" in headers or len(said) != 1 or not said[0].isdigit():
        return _problem(411, "say how large the picture is")
    if len(said[0]) > 12 or int(said[0]) > MAX_SENT_BYTES:
        return _problem(413, f"a picture file may have {MAX_SENT_BYTES // 2**20} MB; make it smaller")
    return None
