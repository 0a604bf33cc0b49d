"""The pictures in a request: its body as it is, the files of a form, or base64 in JSON."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncGenerator

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from pellucid.datasets.pictures import MAX_SENT_BYTES
from pellucid.errors import DataError

MAX_PICTURES = 64
MAX_BODY = 64 * 2**20
SENDING_S = 30.0
"""Seconds that a body may take to arrive."""

Named = tuple[str, bytes | DataError]
"""What the sender calls a picture, and its file's content, or why that cannot be had."""


class Refused(Exception):
    """A request that cannot be answered: the HTTP status, and a sentence."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


async def pictures_of(request: Request) -> list[Named]:
    """The pictures that a request brings, in its order. Errors: Refused."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        async with asyncio.timeout(SENDING_S):
            body = await _body(request, MAX_BODY if kind in READERS else MAX_SENT_BYTES)
    except TimeoutError:
        raise Refused(408, f"the pictures did not arrive within {SENDING_S:.0f} seconds") from None
    if kind in READERS:
        found = await READERS[kind](request, body)
    elif kind.startswith("image/") or kind in ("", "application/octet-stream", "application/x-www-form-urlencoded"):
        found = [("", body)]  # curl --data-binary calls it a form
    else:
        raise Refused(415, f"send a picture file, a form with files, or JSON, not {kind[:80]}")
    if not found or not any(content for _, content in found):
        raise Refused(400, "there is no picture in this request; send one as its body, in a form or as base64 in JSON")
    if len(found) > MAX_PICTURES:
        raise Refused(413, f"a request may bring {MAX_PICTURES} pictures, this one has {len(found)}; send several")
    large = next(
        (name for name, content in found if isinstance(content, bytes) and len(content) > MAX_SENT_BYTES), None
    )
    if large is not None:
        raise Refused(413, f"{large[:80]}: {_too_large(MAX_SENT_BYTES)}")
    return found


async def _body(request: Request, most: int) -> bytes:
    said = request.headers.get("content-length", "0")
    if said.isdigit() and int(said[:18]) > most:
        raise Refused(413, _too_large(most))
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise Refused(413, _too_large(most))
        parts.append(part)
    return b"".join(parts)


def _too_large(most: int) -> str:
    return f"more than {most // 2**20} MB; make pictures smaller, or send fewer at once"


async def _from_form(request: Request, body: bytes) -> list[Named]:
    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(
        request.headers, whole(), max_files=MAX_PICTURES, max_fields=MAX_PICTURES, max_part_size=MAX_SENT_BYTES
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise Refused(400, f"the form cannot be read: {error}") from None
    try:
        files = [(name, part) for name, part in form.multi_items() if isinstance(part, UploadFile)]
        return [(part.filename or name, await part.read()) for name, part in files]
    finally:
        await form.close()


async def _from_json(request: Request, body: bytes) -> list[Named]:
    """{"picture": "base64"} or {"pictures": ["base64", ...]}; an address of data (data:image/png;base64,...) too."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "this is no JSON") from None
    asked = said if isinstance(said, dict) else {}
    given = asked.get("pictures", [asked["picture"]] if "picture" in asked else None)
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise Refused(400, 'send {"pictures": ["base64 of a picture file", ...]}, or {"picture": "..."}')
    return [(str(number), _decoded(text)) for number, text in enumerate(given)]


def _decoded(text: str) -> bytes | DataError:
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return DataError("this is no base64 of a picture file")


READERS = {"multipart/form-data": _from_form, "application/json": _from_json}
