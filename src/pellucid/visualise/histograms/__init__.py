"""How numbers of a network are spread (`data`), and drawn (`figure`)."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from pellucid.errors import ConfigError
from pellucid.model.tracing import Trace, trace
from pellucid.visualise.features.data import drawn_layers
from pellucid.visualise.histograms.data import layer_histograms, unit_states
from pellucid.visualise.histograms.figure import histograms_figure, ridges_figure
from pellucid.visualise.registry import DATA_OF_RUN, LayerName, Option, Picture, Shown, Source

EXAMPLES = """What each layer gives for test pictures, with dead and saturated units:
   pellucid show histograms runs/simple-convnet-digits-001

The weights of one layer, from before the first epoch to the last:
   pellucid show histograms RUN --kind weights --layer conv1 --over-time"""
PICTURES = 100
"""Test pictures that a histogram counts over."""
TRACE_BYTES = 512 * 2**20
"""What the outputs of a trace may take; of large networks fewer pictures are counted."""
FLOAT_BYTES = 4

WORDS = {
    "{dead} of {units} units dead": "유닛 {units}개 중 {dead}개가 죽음",
    "{share} of values saturated, {stuck} of {units} units always": (
        "값의 {share}가 포화, 유닛 {units}개 중 {stuck}개는 늘 포화"
    ),
    "{name}: {count:,} values": "{name}: 값 {count:,}개",
    "{name}: no finite value": "{name}: 유한한 값 없음",
    "values in a bin (log)": "구간의 값 개수 (로그)",
    "activations": "활성값",
    "weights": "가중치",
    "gradients": "기울기",
    "{title}: {kind}": "{title}: {kind}",
    "epoch; height: values in a bin": "에포크, 높이는 구간의 값 개수",
    "{share} at 0": "0이 {share}",
    ", {count} test pictures": ", 테스트 이미지 {count}장",
    "{count} test pictures are counted: more would not fit into memory": (
        "테스트 이미지 {count}장만 셉니다. 더 많으면 메모리에 들어가지 않습니다"
    ),
}
"""Korean by English."""


@Picture("histograms", EXAMPLES, words=WORDS)
def show_histograms(
    source: Source,
    kind: Annotated[str, Option("--kind", "activations|weights|gradients", "Which numbers.")] = "activations",
    layer: LayerName = None,
    data: Annotated[str | None, Option("--data", "NAME|FOLDER", f"{DATA_OF_RUN} from its own data.")] = None,
    over_time: Annotated[bool, Option("--over-time", None, "Each epoch as a ridge, from the snapshots.")] = False,
) -> Shown:
    """Draw how the numbers of each layer are spread; dead and saturated units are counted."""
    layers = None if layer is None else [layer]
    if over_time and source.folder is None:
        raise ConfigError(
            f"{source.what}: --over-time needs a run folder, with its snapshots; this is a model file alone"
        )
    if kind == "activations" and layers is None:
        layers = list(drawn_layers(source.model.layers))  # Flatten and Dropout would show the same again
    if over_time:
        snapshots = source.snapshots()
        return Shown(lambda: ridges_figure(snapshots, kind, layers, title=source.title, lang=source.lang), "ridges")
    model = source.model
    trained = "" if model.trained_on else source.say(" (not trained)")
    seen, what = _traced(source, kind, data)
    with source.working("counting"):
        states = unit_states(seen) if kind == "activations" else None
        counted = layer_histograms(seen, kind, layers)
    title = f"{model.name}{trained}{what}"
    return Shown(lambda: histograms_figure(counted, states, kind=kind, title=title, lang=source.lang), "histograms")


def _traced(source: Source, kind: str, data: str | None) -> tuple[Trace, str]:
    """A trace over test pictures, and how many in words; for weights alone, over one empty picture."""
    model = source.model
    if kind == "weights":
        return trace(model, np.zeros((1, *model.input_shape), np.float32)), ""
    test = source.held_out(data).test
    shapes = [model.input_shape, *(visit.output_shape for visit in model.graph.walk())]
    wanted = min(PICTURES, len(test))
    count = min(wanted, max(1, TRACE_BYTES // (FLOAT_BYTES * sum(map(math.prod, shapes)))))
    if count < wanted:
        source.note(source.say("{count} test pictures are counted: more would not fit into memory", count=count))
    labels = test.labels[:count] if kind == "gradients" else None
    with source.working(f"following {count} test pictures"):
        return trace(model, test.images[:count], labels), source.say(", {count} test pictures", count=count)
