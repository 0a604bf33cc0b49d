"""What there is to look at, computed with the weights of one moment; and the table of views, which are made of that.

A view is a function of a Look and of a request, entered by `@view(...)`: those of whole layers and of many pictures are
in `views`, those of one number in `dissections`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, expect_known
from pellucid.lab.board import Board
from pellucid.lab.change import Change
from pellucid.lab.judging import Judged
from pellucid.lab.pictures import NumberedPictures
from pellucid.lab.protocol import Part, Request
from pellucid.lab.rounds import IDLE_TURN_S, TURN_S, Rounds
from pellucid.lab.scatter import Features
from pellucid.lab.session import Session
from pellucid.model.tracing import LayerTrace, Trace, trace
from pellucid.ops import Array
from pellucid.visualise.answers import per_pixel

HISTOGRAM_PICTURES, HISTOGRAM_MACS = 64, 2 * 10**9
"""At most so many pictures, and of a large network no more than fit into so many multiply-accumulates, but one."""

MAX_TRACES = 8
"""Of pictures that are kept for a moment."""


@dataclass(frozen=True)
class Seen:
    """What a view gives: plain data for the head of a frame, and arrays."""

    data: dict[str, Any]
    parts: tuple[Part, ...] = ()


class Look:
    """A session and what was computed of it for one moment; used by one thread at a time.

    held_s: for how long training waited for this; whoever wants to know sets it to 0 before.
    """

    def __init__(self, session: Session) -> None:
        self.session, self.model, self.test = session, session.model, session.dataset.test
        self.pictures = NumberedPictures(self.model, session.dataset)
        self.judged = None if per_pixel(self.model) else Judged(self.model, self.test)
        self.features = Features(self.model, self.test)
        self.moment = session.moment
        self._version = self.model.version
        self._traces: dict[tuple[int, Change], Trace] = {}
        self._batch: Trace | None = None
        self.held_s = 0.0

    def gather(self, requests: Iterable[Request]) -> None:
        """Compute what these need, all with the weights of one moment: training waits once, between two steps."""
        kinds = [(VIEWS[request.view], request) for request in requests]
        gradients = {request.looked for kind, request in kinds if kind.gradients}
        with self.alone():
            self._enter(self.session.moment)
            for looked in {request.looked for kind, request in kinds if kind.picture}:
                self._trace(looked, gradients=looked in gradients)
            if any(kind.batch for kind, _ in kinds):
                self._trace_batch()
            for rounds in dict.fromkeys(each for kind, _ in kinds for each in self.rounds_of(kind)):
                rounds.turn(self.moment, TURN_S if self.session.snapshot["running"] else IDLE_TURN_S)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """With weights that nobody changes: training waits meanwhile, which is counted."""
        with self.model.turns.taken():
            start, before = time.perf_counter(), self.held_s
            try:
                yield
            finally:
                self.held_s = before + time.perf_counter() - start

    def rounds_of(self, kind: Kind) -> list[Rounds]:
        """What a view needs of many pictures, gone through a few at a time."""
        judged = [self.judged] if self.judged is not None and (kind.classifies or kind.judging) else []
        return [*judged, *([self.features] if kind.features else [])]

    @cached_property
    def board(self) -> Board | None:
        """What is drawn by hand becomes; None where the network takes no pictures in grey or colours."""
        return Board.of(self.pictures) if self.pictures.rule is not None else None

    def image(self, request: Request) -> Array:
        """The picture that a request looks at, as it was changed. Shapes: (H,W,C)."""
        return request.change.of_picture(self.pictures.get(request.picture).image, self.pictures.ends)

    def trace_of(self, request: Request, *, gradients: bool = False) -> Trace:
        """The way of the picture of a request through the network."""
        kept = self._traces.get(request.looked)
        if kept is not None and (kept.what or not gradients) and self._version == self.model.version:
            return kept
        return self._trace(request.looked, gradients=gradients)

    def batch(self) -> Trace:
        """Some test pictures with the gradients of their mean loss."""
        return self._batch or self._trace_batch()

    def step(self, request: Request, *, gradients: bool = False) -> LayerTrace:
        """What went through the layer of a request for its picture."""
        found: LayerTrace = self.trace_of(request, gradients=gradients)[request.layer]
        return found

    def _enter(self, moment: tuple[int, int]) -> None:
        """Forget what was computed with other weights; answers too, where training has begun anew."""
        if moment == self.moment and self._version == self.model.version:
            return
        if moment[0] != self.moment[0]:
            for rounds in (self.judged, self.features):
                if rounds is not None:
                    rounds.clear()
        self.moment, self._version, self._traces, self._batch = moment, self.model.version, {}, None

    def _trace(self, looked: tuple[int, Change], *, gradients: bool) -> Trace:
        """Gradients are of the loss; of a picture whose class is not known, of that of the network's own answer."""
        with self.alone():  # all layers with the weights of the same step
            self._enter(self.session.moment)
            if len(self._traces) >= MAX_TRACES:
                self._traces.clear()
            kept = self._traces.get(looked)
            if kept is None or (gradients and not kept.what):
                known, (_, change) = self.pictures.get(looked[0]), looked
                image = change.of_picture(known.image, self.pictures.ends)[None]
                label = known.label
                if gradients and label is None:
                    label = answer_of(kept or trace(self.model, image))
                kept = trace(self.model, image, label if gradients else None)
                self._traces[looked] = kept
        return kept

    def _trace_batch(self) -> Trace:
        fitting = HISTOGRAM_MACS // max(self.model.outline().macs, 1)
        rows = slice(0, min(max(fitting, 1), HISTOGRAM_PICTURES))
        with self.alone():
            self._enter(self.session.moment)
            self._batch = trace(self.model, self.test.images[rows], self.test.labels[rows])
        return self._batch


def answer_of(seen: Trace) -> Array:
    """The class that the network holds most probable: of each picture, or of each pixel. Shapes: (N, ...)."""
    outputs = seen.outputs
    if outputs.shape[-1] == 1:
        found: Array = (seen.scores[..., 0] > 0).astype(np.int64)
        return found
    return np.asarray(outputs.argmax(axis=-1))


View = Callable[[Look, Request], Seen]


@dataclass(frozen=True)
class Kind:
    """A view, what it needs, and when it may be had.

    layer: it is of a layer, which the request names. picture: it reads the trace of one picture, gradients: with
    gradients. batch: that of some pictures. classifies: a class for each picture. judging: where test pictures are
    judged, it changes meanwhile. features: those of many pictures.
    slow: it is made a few times a second at most. still: training does not change it. once: it is asked for, not
    watched. owner: by whoever steers alone.
    """

    make: View
    layer: bool = False
    picture: bool = False
    gradients: bool = False
    batch: bool = False
    classifies: bool = False
    judging: bool = False
    features: bool = False
    slow: bool = False
    still: bool = False
    once: bool = False
    owner: bool = False


VIEWS: dict[str, Kind] = {}


def view(**said: bool) -> Callable[[View], View]:
    """Enter a function into VIEWS under its own name."""

    def enter(make: View) -> View:
        VIEWS[make.__name__] = Kind(make, **said)
        return make

    return enter


def check(look: Look, request: Request, *, once: bool = False, owner: bool = False) -> Kind:
    """The view that is asked for. Errors: ConfigError for one that there is not, or of what is not there."""
    kind = VIEWS[expect_known("view", request.view, VIEWS)]
    if kind.owner and not owner:
        raise ConfigError(f"{request.view}: this address is for looking; the other one steers")
    if kind.once and not once:
        raise ConfigError(f"{request.view} is asked for, not watched")
    if kind.classifies and look.judged is None:
        raise ConfigError(f"{request.view}: {look.model.name} gives a class for each pixel, so none for a picture")
    if kind.layer:
        expect_known(f"layer of {look.model.name}", request.layer, [layer.name for layer in look.model.flat_layers])
    if kind.picture:
        look.pictures.get(request.picture)
    return kind
