"""The addresses: /predict answers, /health and /metrics tell how it goes, / and /docs are for people."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from pellucid._web import Place, page_files
from pellucid.errors import DataError
from pellucid.ops import num_threads
from pellucid.serve.answering import Answerer
from pellucid.serve.batching import Batches, Busy
from pellucid.serve.meters import Meters
from pellucid.serve.openapi import description
from pellucid.serve.reading import Named, Refused, pictures_of

ANSWER_S = 30.0
"""Seconds after which a request is given up."""

PAGES = {"/": "index.html", "/docs": "docs.html"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
HOW = "send it as Authorization: Bearer TOKEN, or ?token=TOKEN"
BUSY = "too many pictures wait; try again in a second"


def make_app(answerer: Answerer, *, token: str | None = None, place: Place | None = None) -> ASGIApp:
    """The application. token: what a request must carry; place: where alone it may be asked from, without a token."""
    server = Server(answerer, token, place)
    files = page_files("pellucid.serve")

    async def page(request: Request) -> Response:
        name = PAGES.get(request.url.path) or request.path_params["name"]
        if name not in files:
            raise HTTPException(404)
        content, kind = files[name]
        return Response(content, media_type=kind, headers=HEADERS)

    return Starlette(
        routes=[
            Route("/predict", server.predict, methods=["POST"]),
            Route("/health", server.health),
            Route("/metrics", server.metrics),
            Route("/openapi.json", server.openapi),
            *(Route(path, page) for path in PAGES),
            Route("/page/{name}", page),
        ],
        exception_handlers={HTTPException: _not_there},  # type: ignore[dict-item]  # of a narrower error
    )


class Server:
    """What is behind the addresses."""

    def __init__(self, answerer: Answerer, token: str | None, place: Place | None) -> None:
        self._answerer, self._token, self._place = answerer, token, place
        self._batches = Batches(answerer.answer, answerer.batch_size, lambda count: self._meters.batch.observe(count))
        self._meters = Meters(lambda: self._batches.num_waiting)
        self._readers = ThreadPoolExecutor(num_threads(), "pellucid serve: pictures")

    async def predict(self, request: Request) -> Response:
        """POST /predict."""
        begun = time.perf_counter()
        try:
            answer = await self._answered(request)
        except Refused as refusal:
            answer = _problem(refusal.status, str(refusal))
        self._meters.requests.labels(answer.status_code).inc()
        self._meters.seconds.observe(time.perf_counter() - begun)
        return answer

    async def _answered(self, request: Request) -> Response:
        self._expect_welcome(request)
        top = request.query_params.get("top", str(self._answerer.top))
        if not (top.isascii() and top.isdigit() and int(top[:9]) > 0):
            raise Refused(400, f"top must be a whole number of at least 1, got {top[:80]!r}")
        pictures = await pictures_of(request)
        try:
            async with asyncio.timeout(ANSWER_S):
                answers = await asyncio.gather(*(self._answer(picture, int(top[:9])) for picture in pictures))
        except (Busy, TimeoutError):
            raise Refused(503, BUSY) from None
        except MemoryError:
            raise Refused(503, "there is too little memory for this; try again, or smaller pictures") from None
        read = sum("predictions" in answer for answer in answers)
        self._meters.pictures.inc(read)
        self._meters.unread.inc(len(answers) - read)
        if not read:
            return JSONResponse({"problem": answers[0]["problem"], "answers": answers}, 422, HEADERS)
        return JSONResponse({"model": self._answerer.model.name, "answers": answers}, headers=HEADERS)

    async def _answer(self, picture: Named, top: int) -> dict[str, Any]:
        name, content = picture
        told = {"picture": name} if name else {}
        loop = asyncio.get_running_loop()
        try:
            if isinstance(content, DataError):
                raise content
            pixels = await loop.run_in_executor(self._readers, self._answerer.read, content)
        except DataError as error:
            return {**told, "problem": str(error)}
        return {**told, "predictions": self._answerer.named(await self._batches.answer(pixels), top)}

    async def health(self, request: Request) -> Response:
        """GET /health; without a token, for whoever watches it."""
        answerer = self._answerer
        height, width = answerer.rule.size
        told = {"status": "ok", "model": answerer.model.name, "classes": answerer.num_classes, "size": [height, width]}
        return JSONResponse(told, headers=HEADERS)

    async def metrics(self, request: Request) -> Response:
        """GET /metrics."""
        try:
            self._expect_welcome(request)
        except Refused as refusal:
            return _problem(refusal.status, str(refusal))
        return Response(self._meters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json; in Korean by ?lang=ko."""
        lang = "ko" if request.query_params.get("lang") == "ko" else "en"
        told = description(self._answerer, token=self._token is not None, lang=lang)
        return JSONResponse(told, headers=HEADERS)

    def _expect_welcome(self, request: Request) -> None:
        """Errors: Refused for a request without the token, or, where there is none, from another site's page."""
        if self._token is not None:
            scheme, _, said = request.headers.get("authorization", "").partition(" ")
            given = said if scheme.lower() == "bearer" else request.query_params.get("token", "")
            if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._token.encode()):
                raise Refused(403, f"the token is missing or wrong; {HOW}")
        elif self._place and not self._place.allows(request.headers.get("host"), request.headers.get("origin")):
            raise Refused(403, "forbidden: this address answers its own page and programs of this machine alone")


async def _not_there(request: Request, error: HTTPException) -> Response:
    """For an address that is none, or is asked in another way."""
    there = f"{request.url.path} is asked by {(error.headers or {}).get('Allow')}" if error.status_code == 405 else ""
    text = f"{there or 'there is no such page'}; a picture is sent by POST to /predict, see /docs"
    return _problem(error.status_code, text, error.headers)


def _problem(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    retry = {"Retry-After": "1"} if status == 503 else {}
    return JSONResponse({"problem": text}, status, {**HEADERS, **retry, **(headers or {})})
