"""The pictures that excite filters, drawn: by depth, one row a layer, or for one layer, one row a channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from pellucid._text import text_columns
from pellucid.datasets.download import Progress
from pellucid.errors import ConfigError, DataError
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.visualise.answers import class_label, trained_note
from pellucid.visualise.depth import spread, whole_convolutions
from pellucid.visualise.drawing.figure import INK, new_figure
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import show_picture
from pellucid.visualise.excitation.data import Found, ascend, top_pictures
from pellucid.visualise.excitation.texture import LEAST_VIEW, SIDE, texture_side, textures
from pellucid.visualise.registry import LayerName, Option, Picture, Shown, Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LAYERS = 6
ACROSS = 8
"""Channels a row, and pictures a channel."""

CELL = 1.05
"""Width of a picture in inches."""


@dataclass(frozen=True)
class PictureRow:
    """Pictures side by side, what they have in common, and what each is. Shapes: pictures (H,W,C) each."""

    label: str
    pictures: Sequence[Array]
    captions: Sequence[str]


def excitation_figure(rows: Sequence[PictureRow], *, title: str = "", note: str = "") -> Figure:
    """Rows of pictures, each picture as wide as the others however many pixels it has; `note` stands below.

    Errors: ConfigError without a picture; DataError where none has a finite value.
    """
    across = max((len(row.pictures) for row in rows), default=0)
    if not across:
        raise ConfigError("there are no pictures to draw; name a layer with channels")
    if not any(np.isfinite(picture).any() for row in rows for picture in row.pictures):
        raise DataError("the pictures hold no finite number: the network's weights are NaN or infinite")
    labels = max(text_columns(line) for row in rows for line in row.label.split("\n"))
    left = 0.075 * labels + 0.2
    width = max(left + (CELL + 0.06) * across, 4.2)
    figure = new_figure(width, (CELL + 0.28) * len(rows) + (0.5 if title else 0.1) + (0.35 if note else 0))
    ratios = [left, *[CELL] * across]
    for cells, row in zip(
        figure.subplots(len(rows), across + 1, squeeze=False, width_ratios=ratios), rows, strict=True
    ):
        cells[0].text(1, 0.5, row.label, ha="right", va="center", fontsize=9, color=INK, transform=cells[0].transAxes)
        for axes in cells:
            axes.set_axis_off()
        for axes, picture, caption in zip(cells[1:], row.pictures, row.captions, strict=False):
            axes.set_axis_on()
            show_picture(axes, picture, caption, fontsize=8)
    if title:
        figure.suptitle(title, fontsize=11, color=INK)
    if note:
        figure.supxlabel(note, fontsize=8, color=INK)
    return figure


def depth_figure(
    model: Model,
    *,
    layers: Sequence[str] | None = None,
    images: Any = None,
    channels: int = ACROSS,
    seed: int = 0,
    lang: str | None = None,
    progress: Progress | None = None,
) -> Figure:
    """What excites the first channels of layers from the first to the last: edges, then textures, then parts.

    layers: by name; None for `depth_layers`. images: where to find the pictures; None to make them.
    lang: of the labels, "en" or "ko"; None for the locale's.
    Shapes: images (M,H,W,C), an array or Pictures.
    Errors: as top_pictures and ascend.
    """
    say, rows, textured = Labels(lang), [], False
    for layer in depth_layers(model) if layers is None else layers:
        shown = range(min(channels, count_channels(model, layer)))
        if images is None:
            pictures: Sequence[Array] = _made(model, layer, shown, seed, progress)
            textured |= texture_side(model, layer) is not None
        else:
            found = top_pictures(model, images, layer, 1, channels=shown, progress=progress)
            pictures = [found.patch(images, channel, 0) for channel in shown]
        label, captions = _layer_label(model, layer, say), _captions(model, layer, shown, say)
        rows.append(PictureRow(label, pictures, captions))
    name = model.name + trained_note(model, say)
    if images is None:
        title = say("{model}: what excites its channels most, made by gradient ascent", model=name)
        note = say("each picture is what one unit sees within the picture, enlarged to the same width")
        if textured:
            words = "where a unit sees {least} pixels or more, a texture of {size} pixels that excites all of them"
            note += "\n" + say(words, least=LEAST_VIEW, size=f"{SIDE}x{SIDE}")
    else:
        words = "{model}: what excites its channels most, found among {count:,} pictures"
        title = say(words, model=name, count=len(images))
        note = say("each picture is what one unit sees, black beyond the edge, enlarged to the same width")
    return excitation_figure(rows, title=title, note=note)


def made_figure(
    model: Model,
    layer: str,
    channel: int | None = None,
    *,
    seed: int = 0,
    count: int = 3 * ACROSS,
    lang: str | None = None,
    progress: Progress | None = None,
) -> Figure:
    """Pictures made for the first `count` channels of a layer; for one `channel`, from several starts."""
    say, total = Labels(lang), count_channels(model, layer)
    if channel is None:
        shown = range(min(count, total))
        pictures = _made(model, layer, shown, seed, progress)
        captions = _captions(model, layer, shown, say)
        which = (
            ""
            if len(shown) == total
            else ", " + say("first {shown} of {count} channels", shown=len(shown), count=total)
        )
    else:
        seeds = range(seed, seed + ACROSS)
        pictures = [_made(model, layer, channel, start, progress)[0] for start in seeds]
        captions = [say("start {index}", index=start) for start in seeds]
        which = say(", {what} from {count} starts", what=_captions(model, layer, [channel], say)[0], count=ACROSS)
    rows = [PictureRow("", pictures[i : i + ACROSS], captions[i : i + ACROSS]) for i in range(0, len(pictures), ACROSS)]
    height, width = pictures[0].shape[:2]
    title = say("{model}: made to excite {layer}", model=model.name + trained_note(model, say), layer=layer) + which
    words = "gradient ascent; each picture is {size} pixels"
    if texture_side(model, layer) is not None:
        words = "gradient ascent; each picture is {size} pixels, a texture that excites the channel everywhere"
    note = say(words, size=f"{height}x{width}")
    return excitation_figure(rows, title=title, note=note)


def found_figure(model: Model, found: Found, images: Any, *, lang: str | None = None) -> Figure:
    """The pictures of a data set that excite channels of a layer most: one row a channel, the strongest first.

    Shapes: images (M,H,W,C) as given to top_pictures.
    """
    say = Labels(lang)
    names = _captions(model, found.layer, found.channels.tolist(), say)
    per_row = len(found.values[0]) if len(names) > 1 else ACROSS
    rows = []
    for number, name in enumerate(names):
        there = np.flatnonzero(found.values[number] > -np.inf).tolist()  # a picture may have fewer places that differ
        pictures = [found.patch(images, number, place) for place in there]
        captions = [f"{value:.3g}" for value in found.values[number, there]]
        for start in range(0, len(pictures), per_row):
            part = slice(start, start + per_row)
            rows.append(PictureRow(name if start == 0 else "", pictures[part], captions[part]))
    height, width = rows[0].pictures[0].shape[:2]
    return excitation_figure(
        rows,
        title=say(
            "{model}: what excites {layer} most among {count:,} pictures",
            model=model.name + trained_note(model, say),
            layer=found.layer,
            count=len(images),
        ),
        note=say(
            "each picture is the {size} pixels that the unit sees, black beyond the edge; above it, its output",
            size=f"{height}x{width}",
        ),
    )


def depth_layers(model: Model, most: int = MOST_LAYERS) -> list[str]:
    """The convolutions, with what belongs to them, and the last dense layer; of more than `most`, evenly chosen ones,
    the first and last among them.

    Errors: ConfigError for a network without either.
    """
    model.build()
    names = list(dict.fromkeys(visit.layer.name for visit in whole_convolutions(model, activated=False)))
    names += [layer.name for layer in model.flat_layers if layer.role == "dense"][-1:]
    if not names:
        raise ConfigError(f"{model.name} has no convolution and no dense layer that pictures could excite")
    return list(spread(names, most))


def _made(
    model: Model, layer: str, channels: int | Sequence[int], seed: int, progress: Progress | None = None
) -> list[Array]:
    """Textures, where they can be made and say something; else pictures for one unit."""
    if texture_side(model, layer) is None:
        return list(ascend(model, layer, channels, seed=seed, progress=progress))
    return list(textures(model, layer, channels, seed=seed, progress=progress))


def count_channels(model: Model, layer: str) -> int:
    """The channels, or units, of a layer by name. Errors: ConfigError for a name that no layer has."""
    return model.graph.up_to(model.get_layer(layer)).output_shape[-1]


def _layer_label(model: Model, name: str, say: Labels) -> str:
    seen = next(row.receptive_field for row in model.outline().rows if row.name == name)
    height, width = seen or model.graph.input_shape[:2]  # behind Flatten, all of it
    channels = say("{count} channels", count=count_channels(model, name))
    return f"{name}\n{channels}\n{say('sees {size}', size=f'{height}x{width}')}"


def _captions(model: Model, name: str, channels: Sequence[int], say: Labels) -> list[str]:
    """Channel numbers; of the layer that gives the scores, class names."""
    last = [layer.name for layer in model.flat_layers if layer.params][-1:]
    scores = (
        [name] == last
        and len(model.graph.output_shape) == 1
        and count_channels(model, name) == model.graph.output_shape[0] > 1
    )
    return [class_label(model, index, 14) if scores else say("channel {index}", index=index) for index in channels]


EXAMPLES = """Pictures made for the first channels of each layer, from edges to parts:
   pellucid show excite runs/cifar-net-cifar10-001

Those of the run's test pictures that excite one channel most:
   pellucid show excite RUN --layer conv3 --found --channel 12"""
FOUND_FOR_ONE = 24
"""Pictures that are shown of one channel."""

WORDS = {
    "{model}: what excites its channels most, made by gradient ascent": (
        "{model}: 채널을 가장 크게 활성화하는 이미지, 경사 상승법으로 만듦"
    ),
    "{model}: what excites its channels most, found among {count:,} pictures": (
        "{model}: 채널을 가장 크게 활성화하는 이미지, {count:,}장 중에서 찾음"
    ),
    "each picture is what one unit sees within the picture, enlarged to the same width": (
        "각 이미지는 유닛 하나의 수용 영역 중 이미지 안에 드는 부분이며, 같은 너비로 키웠습니다"
    ),
    "each picture is what one unit sees, black beyond the edge, enlarged to the same width": (
        "각 이미지는 유닛 하나가 보는 부분이며(이미지 밖은 검정), 같은 너비로 키웠습니다"
    ),
    "where a unit sees {least} pixels or more, a texture of {size} pixels that excites all of them": (
        "유닛이 {least} 픽셀 이상을 보는 곳은 모든 유닛을 활성화하는 {size} 픽셀의 텍스처입니다"
    ),
    "gradient ascent; each picture is {size} pixels, a texture that excites the channel everywhere": (
        "경사 상승법, 이미지마다 {size} 픽셀이며 채널 전체를 활성화하는 텍스처입니다"
    ),
    "start {index}": "시작점 {index}",
    ", {what} from {count} starts": ", {what}, 시작점 {count}개",
    "{model}: made to excite {layer}": "{model}: {layer} 계층을 크게 활성화하도록 만든 이미지",
    "gradient ascent; each picture is {size} pixels": "경사 상승법, 이미지마다 {size} 픽셀",
    "{model}: what excites {layer} most among {count:,} pictures": (
        "{model}: 이미지 {count:,}장 중 {layer} 계층을 가장 크게 활성화하는 것"
    ),
    "each picture is the {size} pixels that the unit sees, black beyond the edge; above it, its output": (
        "각 이미지는 유닛이 보는 {size} 픽셀이고(이미지 밖은 검정), 위의 수는 그 출력입니다"
    ),
    "sees {size}": "보는 범위 {size}",
}
"""Korean by English."""


@Picture("excite", EXAMPLES, words=WORDS)
def show_excite(
    source: Source,
    layer: LayerName = None,
    found: Annotated[
        bool,
        Option("--found/--made", None, "Search the pictures the run held out, or make pictures by gradient ascent."),
    ] = False,
    channel: Annotated[int | None, Option("--channel", "N", "One channel of --layer, in more pictures.", 0)] = None,
    seed: Annotated[int, Option("--seed", "N", "The noise that --made starts from.", 0)] = 0,
    data: Annotated[str | None, Option("--data", "NAME|FOLDER", "What --found searches instead.")] = None,
) -> Shown:
    """Draw the pictures that excite channels most: of all layers by depth, or of one layer."""
    if channel is not None and layer is None:
        raise ConfigError(f"--channel {channel}: say of which layer, with --layer")
    if data is not None and not found:
        raise ConfigError(f"--data {data} is what --found searches; add --found")
    model, lang = source.model, source.lang
    with source.working() as progress:
        images = source.pictures(data) if found else None
        if layer is None:
            figure = depth_figure(model, images=images, seed=seed, lang=lang, progress=progress)
        elif images is None:
            figure = made_figure(model, layer, channel, seed=seed, lang=lang, progress=progress)
        else:
            picks = range(min(ACROSS, count_channels(model, layer))) if channel is None else [channel]
            most = ACROSS if channel is None else FOUND_FOR_ONE
            each = -(-most // len(images))  # of few pictures several places
            strongest = top_pictures(model, images, layer, most, channels=list(picks), each=each, progress=progress)
            figure = found_figure(model, strongest, images, lang=lang)
    which = "" if layer is None else f"-{layer}" + ("" if channel is None else f"-{channel}")
    return Shown(lambda: figure, f"{'found' if found else 'made'}{which}")
