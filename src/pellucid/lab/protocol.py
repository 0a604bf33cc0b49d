"""What the page and the server say to each other over one WebSocket.

From the page, JSON texts of at most MAX_MESSAGE bytes:

    {"type": "command", "do": "start" | "pause" | "step" | "picture" | "restart"}      the owner alone
    {"type": "command", "do": "set", "name": NAME, "value": VALUE}                     the owner alone
    {"type": "present", "state": TEXT}                         the owner alone: what viewers who follow are to see
    {"type": "watch", "views": [{"view": NAME, ...}, ...]}     from now on these, at most MAX_VIEWS, and no others
    {"type": "ask", "id": N, "view": NAME, ...}                once

A view is named with what it is of: "layer", "picture", "change" (of the picture, see `change`), "channel", "position",
and "given", JSON that some views take. A picture file is no message: it is the body of a POST to "picture", see `app`.

From the server, JSON texts: "hello" at first (the network, choices, words), "answer" to an ask with its id, "error"
with a sentence ("text", and "text_ko" where it is known in Korean). Everything else comes as binary messages, each a
bundle of frames, one after the other:

    4 bytes: length of the frame, little-endian | frame, of a multiple of 4 bytes
    a frame: 4 bytes: length of the head, little-endian | head, JSON, padded with spaces to a multiple of 4 | numbers

The head of a frame of what is watched names the view, the step, and the parts: each with shape, dtype ("uint8" or
"float32") and offset in bytes. Other heads name their "type": "state" whenever that has changed, "present" with what
the owner's page shows, "hello" again when the network was edited.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, expect_known, shown
from pellucid.lab.change import NONE, Change
from pellucid.lab.session import Command
from pellucid.ops import Array

MAX_MESSAGE = 64 * 1024
MAX_VIEWS = 16
MAX_NAME = 200
MAX_STATE = 8000
MAX_INDEX = 10**9
DTYPES = ("uint8", "float32")


@dataclass(frozen=True)
class Request:
    """A view by name, and of what: a layer, a picture and its change, a channel, a place in a layer's output.

    picture: of a test picture or of one's own, see `NumberedPictures`. given: what else a view takes, as JSON. Two
    viewers who ask for the same have equal requests.
    """

    view: str
    layer: str = ""
    picture: int = 0
    channel: int = 0
    position: tuple[int, ...] = ()
    given: str = ""
    change: Change = NONE

    @property
    def details(self) -> Any:
        """What was given beside the names and numbers; None for nothing."""
        return json.loads(self.given) if self.given else None

    def options(self, *names: str) -> dict[str, Any]:
        """What was given, under some of these names. Errors: ConfigError for anything else."""
        given = self.details or {}
        if not isinstance(given, dict):
            raise ConfigError(f"{self.view}: given must be an object, got {shown(given)}")
        for name in given:
            expect_known(f"part of {self.view}", name, names)
        return given

    def to_json(self) -> dict[str, Any]:
        """As it was asked for, without what was not said."""
        said = {"layer": self.layer, "picture": self.picture, "channel": self.channel, "position": list(self.position)}
        said |= {"given": self.details, "change": self.change.to_json()}
        return {"view": self.view, **{name: value for name, value in said.items() if value}}

    @property
    def looked(self) -> tuple[int, Change]:
        """Which picture is looked at, and how it was changed."""
        return self.picture, self.change


@dataclass(frozen=True)
class Present:
    """What the owner's page shows, as its address has it."""

    state: str


@dataclass(frozen=True)
class Watch:
    """A viewer wants to see these from now on, and nothing else."""

    requests: tuple[Request, ...]


@dataclass(frozen=True)
class Ask:
    """A viewer wants to see this once."""

    number: int
    request: Request


@dataclass(frozen=True)
class Part:
    """An array of a frame, and what is known of it. `about` must not hold shape, dtype or offset."""

    values: Array
    about: Mapping[str, Any] = field(default_factory=dict)


Message = Command | Present | Watch | Ask


def parse(text: str) -> Message:
    """A message from the page. Errors: ConfigError, a sentence for whoever wrote the page, for anything else."""
    if len(text) > MAX_MESSAGE:
        raise ConfigError(f"a message may have {MAX_MESSAGE:,} characters, got {len(text):,}")
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ConfigError("a message must be JSON") from None
    fields = _fields(found, "a message")
    kind = expect_known("type of message", fields.pop("type", None), _PARSERS)
    return _PARSERS[kind](fields)


def _command(fields: dict[str, Any]) -> Command:
    do = fields.pop("do", None)
    made = Command(do, _text(fields.pop("name", ""), "name"), fields.pop("value", None))
    _nothing_left(fields, "a command")
    return made


def _present(fields: dict[str, Any]) -> Present:
    made = Present(_text(fields.pop("state", None), "state", MAX_STATE))
    _nothing_left(fields, "present")
    return made


def _watch(fields: dict[str, Any]) -> Watch:
    views = fields.pop("views", None)
    _nothing_left(fields, "watch")
    if not isinstance(views, list) or len(views) > MAX_VIEWS:
        raise ConfigError(f"watch: views must be a list of at most {MAX_VIEWS}, got {shown(views)}")
    return Watch(tuple(dict.fromkeys(_request(_fields(view, "a view")) for view in views)))


def _ask(fields: dict[str, Any]) -> Ask:
    return Ask(_index(fields.pop("id", None), "id"), _request(fields))


_PARSERS: dict[str, Callable[[dict[str, Any]], Message]] = {
    "command": _command,
    "present": _present,
    "watch": _watch,
    "ask": _ask,
}


def _request(fields: dict[str, Any]) -> Request:
    position = fields.pop("position", [])
    if not isinstance(position, list) or len(position) > 4:
        raise ConfigError(f"position must be a list of at most 4 numbers, got {shown(position)}")
    made = Request(
        _text(fields.pop("view", None), "view"),
        _text(fields.pop("layer", ""), "layer"),
        _index(fields.pop("picture", 0), "picture"),
        _index(fields.pop("channel", 0), "channel"),
        tuple(_index(place, "position") for place in position),
        _json(fields.pop("given", None)),
        Change.of(fields.pop("change", {})),
    )
    _nothing_left(fields, "a view")
    return made


def _fields(found: Any, what: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ConfigError(f"{what} must be an object, got {shown(found)}")
    return dict(found)


def _nothing_left(fields: Mapping[str, Any], what: str) -> None:
    if fields:
        raise ConfigError(f"{what} has no {shown(next(iter(fields)))}")


def _text(value: Any, name: str, most: int = MAX_NAME) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ConfigError(f"{name} must be a text of at most {most} characters, got {shown(value)}")
    return value


def _index(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < MAX_INDEX:
        raise ConfigError(f"{name} must be a whole number of at least 0, got {shown(value)}")
    return value


def _json(value: Any) -> str:
    """The value as text, the same for equal ones; "" for nothing. Errors: ConfigError for numbers beyond JSON's."""
    try:
        return "" if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        raise ConfigError("given holds what is no JSON") from None


def _no_number(name: str) -> None:
    raise ValueError(name)


def to_text(message: Mapping[str, Any]) -> str:
    """A message to the page; what is no finite number becomes null."""
    return json.dumps(finite(message), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def finite(value: Any) -> Any:
    """Plain data with null for what is no finite number, arrays as lists, numbers as Python has them."""
    if isinstance(value, np.ndarray | np.generic):
        return finite(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(each) for key, each in value.items()}
    return [finite(each) for each in value] if isinstance(value, list | tuple) else value


def to_frame(head: Mapping[str, Any], parts: Sequence[Part] = ()) -> bytes:
    """A frame of these numbers."""
    described, pieces, offset = [], [], 0
    for part in parts:
        values = np.ascontiguousarray(part.values)
        kind = expect_known("dtype of a frame", values.dtype.name, DTYPES)
        described.append({**part.about, "shape": values.shape, "dtype": kind, "offset": offset})
        piece = values.tobytes()
        pieces.append(piece + bytes(-len(piece) % 4))
        offset += len(pieces[-1])
    text = to_text({**head, "parts": described}).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([struct.pack("<I", len(text)), text, *pieces])


def to_bundle(frames: Iterable[bytes]) -> bytes:
    """Frames as one binary message."""
    return b"".join(piece for frame in frames for piece in (struct.pack("<I", len(frame)), frame))


def read_bundle(message: bytes) -> Iterator[tuple[dict[str, Any], list[Array]]]:
    """Each frame of a binary message, as `read_frame`: what the page does, for tests and programs."""
    place = 0
    while place < len(message):
        (length,) = struct.unpack_from("<I", message, place)
        yield read_frame(message[place + 4 : place + 4 + length])
        place += 4 + length


def read_frame(frame: bytes) -> tuple[dict[str, Any], list[Array]]:
    """The head of a frame, and the numbers of its parts."""
    (length,) = struct.unpack_from("<I", frame)
    head = json.loads(frame[4 : 4 + length])
    arrays = []
    for part in head["parts"]:
        count = math.prod(part["shape"])
        values = np.frombuffer(frame, part["dtype"], count, 4 + length + part["offset"])
        arrays.append(values.reshape(part["shape"]))
    return head, arrays
