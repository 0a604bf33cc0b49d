"""Who looks, and how what was painted gets there: never queued for a viewer who is slow.

Each viewer has one place for each thing it watches: a newer frame takes the place of one that is not sent yet. All that
is there once it has read what came before goes in one message, the same bytes for all who get the same frames. So a
slow viewer skips frames, one that does not read for STALLED_S is dropped, and neither training nor any other viewer
waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from pellucid.errors import ConfigError, PellucidError
from pellucid.lab import dissections as dissections  # its views enter the table, and those of the next
from pellucid.lab import editor as editor
from pellucid.lab import filters as filters
from pellucid.lab import probing as probing
from pellucid.lab import sliding as sliding
from pellucid.lab import tasks as tasks
from pellucid.lab.looking import Look, check
from pellucid.lab.painter import Painter
from pellucid.lab.protocol import Ask, Message, Present, Request, Watch, parse, to_bundle, to_frame, to_text
from pellucid.lab.security import Rate, Role
from pellucid.lab.session import Command, Session
from pellucid.lab.settings import choices
from pellucid.lab.views import describe
from pellucid.lab.wording import told

STALLED_S = 10.0
MAX_VIEWERS = 250
FLOODED, TOO_MANY = 1008, 1013
"""Codes with which a WebSocket is closed: policy violation, try again later."""


class Viewer:
    """One open page. `put` leaves a frame for it, in place of an older one about the same; `wake` sends it all, as
    soon as the viewer has read what came before. bundle: as `to_bundle`."""

    def __init__(self, socket: WebSocket, role: Role, bundle: Callable[[tuple[bytes, ...]], bytes]) -> None:
        self.role, self.requests = role, tuple[Request, ...]()
        self._socket, self._sending, self._bundle = socket, asyncio.Lock(), bundle
        self._pending: dict[Hashable, bytes] = {}
        self._awake = asyncio.Event()

    def put(self, about: Hashable, frame: bytes) -> None:
        """To be sent when it wakes."""
        self._pending[about] = frame

    def wake(self) -> None:
        """Send what was put."""
        self._awake.set()

    def forget(self, about: Hashable) -> None:
        """It is not watched any more."""
        self._pending.pop(about, None)

    async def send(self, message: str | bytes) -> None:
        """Send now. Errors: TimeoutError where the viewer does not read."""
        async with self._sending:
            async with asyncio.timeout(STALLED_S):
                if isinstance(message, str):
                    await self._socket.send_text(message)
                else:
                    await self._socket.send_bytes(message)

    async def serve(self) -> None:
        """Send what is put, for ever. Errors: TimeoutError where the viewer does not read."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            if self._pending:
                frames, self._pending = tuple(self._pending.values()), {}
                await self.send(self._bundle(frames))


class Hub:
    """All viewers of a session. Everything but `close` runs in the event loop; dropped: viewers that did not read."""

    def __init__(self, session: Session, lang: str | None) -> None:
        """lang: the language of the page; None for the browser's."""
        self.session, self.lang = session, lang
        self.viewers: set[Viewer] = set()
        self.dropped = 0
        self._look = Look(session)
        self._painter = Painter(self._look)
        self._answering = ThreadPoolExecutor(1, thread_name_prefix="pellucid lab: answers")
        self._layout = 0
        """Of the network that viewers know; `_described` has it in words."""
        self._described: tuple[int, dict[str, Any]] | None = None
        self._greeting: asyncio.Task[None] | None = None
        self._bundles: dict[tuple[bytes, ...], bytes] = {}
        """Of the frames that were made last."""
        self._presented: Present | None = None

    def begin(self) -> None:
        """Start to paint, for the event loop that runs."""
        loop = asyncio.get_running_loop()

        def hand_over(*made: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._deliver, *made)

        self._painter.begin(hand_over)

    def close(self) -> None:
        """Paint no more."""
        self._painter.close()
        self._answering.shutdown(wait=False, cancel_futures=True)

    async def serve(self, socket: WebSocket, role: Role) -> None:
        """One viewer, from its coming to its going."""
        await socket.accept()
        if len(self.viewers) >= MAX_VIEWERS:
            await socket.close(TOO_MANY)
            return
        viewer = Viewer(socket, role, self._bundle)
        self.viewers.add(viewer)
        try:
            await viewer.send(to_text(await self._in_turn(self._hello, role)))
            viewer.put("state", self._state(self.session.snapshot))
            self._present_to(viewer)
            viewer.wake()
            self._count()
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(viewer.serve())
                await self._listen(socket, viewer)
                sending.cancel()
        except* (TimeoutError, OSError, RuntimeError, WebSocketDisconnect):  # it has gone, or does not read
            self.dropped += 1
            with contextlib.suppress(Exception):
                await asyncio.wait_for(socket.close(), 1)
        finally:
            self.viewers.discard(viewer)
            self._want()
            self._count()

    async def _listen(self, socket: WebSocket, viewer: Viewer) -> None:
        """Do what comes, one message after the other, until it leaves or sends too much."""
        rate = Rate()
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if not rate.ok():
                await socket.close(FLOODED)
                return
            try:
                text = message.get("text")
                if text is None:
                    raise ConfigError("a message must be text")
                await self._do(parse(text), viewer)
            except PellucidError as error:
                await viewer.send(to_text({"type": "error", **told("text", str(error))}))

    async def _do(self, message: Message, viewer: Viewer) -> None:
        if isinstance(message, Command | Present) and viewer.role is not Role.OWNER:
            raise ConfigError("this address is for looking; the other one steers")
        match message:
            case Command():
                self.session.obey(message)
            case Present():
                self._presented = message
                for other in self.viewers:
                    self._present_to(other)
                    other.wake()
            case Watch():
                for request in message.requests:
                    check(self._look, request)
                for request in viewer.requests:
                    viewer.forget(request)
                viewer.requests = message.requests
                self._want()
                for request in message.requests:
                    if request in self._painter.latest:
                        viewer.put(request, self._painter.latest[request])
                viewer.wake()
            case Ask():
                await viewer.send(await self._in_turn(self._answer, message, viewer.role))

    async def add_picture(self, content: bytes) -> tuple[int, bool]:
        """Keep a picture file to be looked at: its number, and whether black and white seem to be swapped.

        Errors: as `NumberedPictures.add_file`.
        """
        return await asyncio.to_thread(self._look.pictures.add_file, content)

    def _count(self) -> None:
        """Tell whoever steers how many look on."""
        for viewer in self.viewers:
            if viewer.role is Role.OWNER:
                viewer.put("state", self._state(self.session.snapshot))
                viewer.wake()

    def _present_to(self, viewer: Viewer) -> None:
        if self._presented is not None and viewer.role is Role.VIEWER:
            viewer.put("present", to_frame({"type": "present", "state": self._presented.state}))

    def _want(self) -> None:
        wanted: dict[Request, bool] = {}
        for viewer in self.viewers:
            for request in viewer.requests:
                wanted[request] = wanted.get(request, False) or viewer.role is Role.OWNER
        num_owners = sum(viewer.role is Role.OWNER for viewer in self.viewers)
        self._painter.paint(wanted, num_owners, len(self.viewers) - num_owners)

    def _state(self, snapshot: dict[str, Any]) -> bytes:
        return to_frame({"type": "state", **snapshot, "viewers": len(self.viewers)})

    def _bundle(self, frames: tuple[bytes, ...]) -> bytes:
        """One message of these frames, made once for all who get the same."""
        if frames not in self._bundles:
            self._bundles[frames] = to_bundle(frames)
        return self._bundles[frames]

    def _deliver(self, painted: dict[Request, bytes], snapshot: dict[str, Any] | None, shared_due: bool) -> None:
        self._bundles = {}
        state = None if snapshot is None else self._state(snapshot)
        if snapshot is not None and snapshot["layout"] != self._layout:
            self._layout = snapshot["layout"]
            self._greeting = asyncio.get_running_loop().create_task(self._greet())
        for viewer in self.viewers:
            if state is not None:
                viewer.put("state", state)
            for request in viewer.requests:
                if request in painted:
                    viewer.put(request, painted[request])
            if shared_due or viewer.role is Role.OWNER:
                viewer.wake()

    async def _greet(self) -> None:
        """Tell all viewers what the network is made of now."""
        with contextlib.suppress(RuntimeError):  # the server ends
            for role in {viewer.role for viewer in self.viewers}:
                hello = to_frame(await self._in_turn(self._hello, role))
                for viewer in self.viewers:
                    if viewer.role is role:
                        viewer.put("hello", hello)
                        viewer.wake()

    async def _in_turn(self, make: Any, *given: Any) -> Any:
        """Made in a thread of its own, one at a time."""
        return await asyncio.get_running_loop().run_in_executor(self._answering, make, *given)

    # In that thread

    def _hello(self, role: Role) -> dict[str, Any]:
        with self.session.looking:
            if self._described is None or self._described[0] != self.session.layout:
                self._described = self.session.layout, describe(self._look)
        network = self._described[1]
        return {"type": "hello", "role": role.value, "lang": self.lang, "network": network, "choices": choices()}

    def _answer(self, ask: Ask, role: Role) -> str:
        """Errors: as the view that is asked for."""
        with self.session.looking:
            kind = check(self._look, ask.request, once=True, owner=role is Role.OWNER)
            seen = kind.make(self._look, ask.request)
        return to_text({"type": "answer", "id": ask.number, **ask.request.to_json(), "of": seen.data})
