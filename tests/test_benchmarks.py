"""How benchmarks/ decides: which rounds are kept, when there is a ratio, what is remembered, what is called weak."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
if not FOLDER.is_dir():
    pytest.skip("only in a clone of the repository", allow_module_level=True)
sys.path.insert(0, str(FOLDER))

import gate  # noqa: E402
import growth  # noqa: E402
import machine  # noqa: E402
import peers  # noqa: E402
import results  # noqa: E402
import scratch as scratch_benchmark  # noqa: E402
import threads  # noqa: E402
import workers  # noqa: E402

from pellucid.ops import native  # noqa: E402


@dataclass
class Fake:
    """A worker whose rounds take what was said, the last one for ever."""

    name: str
    script: Sequence[float]
    precision: str = "f32"
    turns: list[tuple[float, float]] = field(default_factory=list)
    calls: int = 0

    @property
    def about(self) -> dict[str, Any]:
        return {"precision": self.precision, "note": "", "memory_mb": 1.0}

    def round(self, steps: int, settle_s: float = 0.0) -> float:
        self.calls += 1
        return self.script[min(self.calls, len(self.script)) - 1]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PAUSE_S", 0.0)


def test_a_slow_probe_before_or_after_drops_the_turn_and_another_is_made() -> None:
    # the probe looks between turns: the third look is slow, so turns 1 and 2 are thrown away
    timing, ours = workers.Rounds(), Fake("pellucid", [1.0, 50.0, 60.0, 2.0, 3.0])
    timing.run(Fake("probe", [10, 10, 20, 10]), [ours], steps=1, wanted=3)
    assert timing.made == 5 and timing.kept(ours) == [1.0, 2.0, 3.0]


def test_a_burst_drops_the_turns_it_touches_not_the_round() -> None:
    timing, ours, peer = workers.Rounds(), Fake("pellucid", [1.0, 2.0, 3.0]), Fake("torch-eager", [7.0, 8.0, 9.0])
    # looks: start, after ours, after the peer's, ...; the slow one stands between the peer's first and our second
    timing.run(Fake("probe", [10, 10, 20, 10]), [ours, peer], steps=1, wanted=2)
    assert timing.made == 3
    assert timing.kept(ours) == [1.0, 3.0] and timing.kept(peer) == [8.0, 9.0]


def test_rounds_give_up_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    timing, ours = workers.Rounds(best=1.0), Fake("pellucid", [1.0])
    monkeypatch.setattr(workers, "LIMIT_S", 0.0)
    timing.run(Fake("probe", [2000.0]), [ours], steps=1, wanted=4)
    assert timing.kept(ours) == [] and timing.fewest([ours]) == 0 and len(ours.turns) == 4


def test_what_was_kept_early_can_fall_below_a_better_probe_later() -> None:
    timing, ours = workers.Rounds(), Fake("pellucid", [1.0, 2.0])
    timing.run(Fake("probe", [20, 20, 10]), [ours], steps=1, wanted=2)
    assert timing.kept(ours) == [2.0, 2.0]


def judged(rounds: int, fakes: Sequence[Fake]) -> dict[str, Any]:
    timing = workers.Rounds()
    timing.run(Fake("probe", [10.0]), fakes, 1, rounds)
    return peers.judge(peers.ROWS[0], fakes, timing, rounds)


def test_a_gain_is_what_all_cores_reach_of_each_alone() -> None:
    # a core at half speed alone: together they could make 3/2 of what the faster makes, and they do
    even, uneven = threads.Turns([6.0, 6.0, 6.0, 6.0], 3.0), threads.Turns([6.0, 12.0, 6.0, 12.0], 4.0)
    assert even.gain == pytest.approx(2.0) and uneven.gain == pytest.approx(2.0)
    assert threads.Turns([6.0, 6.0, 6.0, 6.0], 6.0).gain == pytest.approx(1.0)
    calm, burst = threads.Turns([6.0] * 4, 3.0), threads.Turns([6.0] * 4, 5.0)
    assert threads.counted([(even, calm), (uneven, burst)]) == [(even, calm)]


def test_the_ratio_is_of_medians_and_of_the_fastest_peer_in_float32() -> None:
    fakes = [
        Fake("pellucid", [2.0, 3.0, 100.0]),
        Fake("torch-eager", [12.0]),
        Fake("openvino", [9.0]),
        Fake("openvino-default", [1.0], precision="bf16"),
    ]
    found = judged(3, fakes)
    assert found["fastest_peer"] == "openvino" and found["ratio"] == 3.0
    assert found["quartiles_ms"]["pellucid"] == [2.5, 3.0, 51.5]


@pytest.mark.parametrize("rounds", [1, 2])
def test_few_rounds_give_no_ratio(rounds: int) -> None:
    assert judged(rounds, [Fake("pellucid", [1.0]), Fake("torch-eager", [2.0])])["ratio"] is None


def test_no_peer_gives_no_ratio() -> None:
    found = judged(3, [Fake("pellucid", [1.0])])
    assert found["ratio"] is None and found["fastest_peer"] is None


def test_the_gate_says_what_fell_grew_or_is_below_its_floor() -> None:
    before = {"ratio": 2.0, "memory_mb": {"pellucid": 100.0}, "measured": {"commit": "abc"}}
    now = {"ratio": 1.91, "floor": 1.5, "rounds": 9, "rounds_kept": 7, "memory_mb": {"pellucid": 104.0}}
    assert not list(gate.verdicts(now, before)) and not list(gate.verdicts(now, None))
    assert list(gate.verdicts({**now, "ratio": 1.8}, before)) == ["fell: 1.80, was 2.00 at abc (-10%)"]
    assert list(gate.verdicts({**now, "floor": 1.95}, before)) == ["below its floor: 1.91 of 1.95"]
    assert list(gate.verdicts({**now, "memory_mb": {"pellucid": 120.0}}, before)) == ["grew: 120 MB, was 100"]
    assert list(gate.verdicts({**now, "ratio": None}, before)) == ["no ratio: 7 of 9 rounds were quiet"]


def test_quartiles_are_those_of_numpy() -> None:
    import numpy as np

    values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6]
    np.testing.assert_allclose(workers.quartiles(values), np.quantile(values, [0.25, 0.5, 0.75]))


def test_rows_of_other_sources_stay_but_are_measured_again_and_those_of_other_machines_go(tmp_path: Path) -> None:
    def about(state: str, processor: str = "one") -> dict[str, str]:
        return {"state": state, "commit": f"of {state}", "date": "today", "command": "run", "processor": processor}

    path = tmp_path / "results" / "peers.json"
    machine.Stored(path, about("a")).put("row", {"probe_best": 3.0})
    again = machine.Stored(path, about("a"))
    assert again.get("row")["probe_best"] == 3.0 and again.largest("probe_best") == 3.0
    changed = machine.Stored(path, about("b"))
    assert changed.get("row") is None
    changed.put("other", {})
    rows = json.loads(path.read_text())["rows"]
    assert {key: row["measured"]["commit"] for key, row in rows.items()} == {"row": "of a", "other": "of b"}
    assert machine.Stored(path, about("a", "two")).rows == {}
    assert [file.name for file in path.parent.iterdir()] == ["peers.json"]


def test_results_name_every_row_and_what_is_weak(tmp_path: Path) -> None:
    fakes = [Fake("pellucid", [2.0]), Fake("torch-eager", [5.0])]
    row = {**judged(3, fakes), "memory_mb": {"pellucid": 20.0, "torch-eager": 10.0}, "recorded": {}}
    with_keras = {**row, "recorded": {"keras-jax": {"ms": [6.0, 7.0, 8.0], "note": ""}}}
    rows = {peers.ROWS[0].key: with_keras, peers.ROWS[1].key: {**row, "network": "lenet5", "ratio": 4.0}}
    about = machine.describe()
    (tmp_path / "peers.json").write_text(json.dumps({"about": about, "rows": rows}))
    gain = {"network": "lenet5", "threads": 2, "gain": 1.5, "probe_gain": 2.0, "rounds": 7, "rounds_kept": 7}
    gain |= {"gain_quartiles": [1.4, 1.5, 1.6], "probe_gain_quartiles": [1.9, 2.0, 2.1]}
    busy = {
        "threads": 1,
        "alone_ms": 1.0,
        "beside_ms": 1.05,
        "cost": 0.05,
        "cost_of_process": 0.02,
        "python_keeps": 0.9,
    }
    (tmp_path / "threads.json").write_text(json.dumps({"about": about, "rows": {"gain/lenet5": gain, "busy/1": busy}}))
    text = results.compose(tmp_path)
    assert (
        "| simple-convnet | training step | 100 | 2.00 (2.00 to 2.00) | 5.00 (5.00 to 5.00) PyTorch | 2.50 | 3 |"
        in text
    )
    assert "| 7.00 |" in text and "Keras, JAX" in text
    weak = text.partition("## What is weak")[2]
    assert "simple-convnet, training step, batch 100: 2.50 times as fast as PyTorch, not 3" in weak
    assert "takes 20.0 MB, the least of the peers 10.0 MB" in weak
    assert "1.50 (1.40 to 1.60)" in text
    assert "lenet5: 2 threads gain 75% of what the loop gains" in weak
    assert "lenet5, training step, batch 100: 4" not in weak and "busy" not in weak


def test_each_instruction_set_has_a_page_the_widest_the_first(tmp_path: Path) -> None:
    for isa in ("avx2", "avx512"):
        (tmp_path / "results" / isa).mkdir(parents=True)
        row = {"epochs": 20, "ours_s": [1.0], "theirs_s": [2.0 if isa == "avx2" else 4.0], "quiet": True, "floor": 3.0}
        row |= {"ours_accuracy": 0.99, "theirs_accuracy": 0.98}
        kept = {"about": machine.describe(), "rows": {"20": row}}
        (tmp_path / "results" / isa / "mnist_run.json").write_text(json.dumps(kept))
    results.write(tmp_path)
    first, second = ((tmp_path / name).read_text() for name in ("RESULTS.md", "RESULTS-avx2.md"))
    assert first.startswith("# Results with AVX-512\n") and "[RESULTS-avx2.md](RESULTS-avx2.md)" in first
    assert second.startswith("# Results with AVX2\n") and "with AVX-512: [RESULTS.md](RESULTS.md)" in second
    assert "4.00" in first and "2.00 times as fast as PyTorch, not 3" in second


def test_growth_counts_a_direct_convolution() -> None:
    forward = growth.Point("conv", "infer", threads=2, batch=3, size=5, channels=7)
    assert growth.flops(forward) == 2 * 3 * 25 * 9 * 49
    curve = next(curve for curve in growth.CURVES if curve.vary == "threads")
    assert {point.threads for point in curve.points(cores=4)} == {1, 2, 3, 4}
    channels = next(curve for curve in growth.CURVES if curve.name == "conv-channels")
    assert growth.Point("conv", "train", 2, batch=8, size=28, channels=46) in channels.points(cores=2)


def test_growth_draws_a_curve(tmp_path: Path) -> None:
    curve = growth.CURVES[1]
    points = [{**vars(point), "ms": {"pellucid": 1.0 + i, "torch": 2.0 + i}} for i, point in enumerate(curve.points(2))]
    growth.draw(curve, {"title": curve.title, "points": points}, tmp_path / "curve.svg")
    assert 1000 < (tmp_path / "curve.svg").stat().st_size < 100_000


@pytest.mark.skipif(not native.available, reason="no compiled kernels")
def test_a_worker_times_what_it_is_told_to() -> None:
    worker = workers.launch("pellucid", ["contenders.py", "pellucid", "lenet5", "train", "4", "1"], threads=1)
    with closing(worker):
        assert worker.ready() and worker.about["precision"] == "f32"
        assert worker.round(3) > 0
    assert worker.process.returncode == 0


def test_a_worker_that_cannot_run_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    worker = workers.launch("nobody", ["contenders.py", "pellucid", "no-such-network", "train", "4", "1"], threads=1)
    with closing(worker):
        assert not worker.ready()
    assert "nobody cannot run this" in capsys.readouterr().err


def test_the_books_run_is_made_of_steps_and_judgements(tmp_path: Path) -> None:
    times = {
        (contender, work): [base * factor for factor in (0.5, 1.0, 3.0)]
        for contender, base in (("page", 200.0), ("page on ours", 20.0), ("ours", 8.0))
        for work in ("step", "judgement")
    }
    found = scratch_benchmark.judge(times, 4)
    assert found["run_s"]["page"] == pytest.approx(12_100 * 0.2) and found["ratio"]["ours"] == pytest.approx(25)
    whole = {"elapsed_s": 99.6, "right": 9876, "steps": 12_000}
    rows = {"steps": found, "whole": whole}
    (tmp_path / "scratch.json").write_text(json.dumps({"about": machine.describe(), "rows": rows}))
    text = results.compose(tmp_path)
    assert "| ours | 8.00 (6.00 to 16.0) | 8.00 (6.00 to 16.0) | 96.8 | 25.0 | 20 |" in text
    assert "3 of 4 turns kept" in text and "100 s, 9,876 of 10,000" in text
    assert "pellucid.scratch" not in text.partition("## What is weak")[2]
    slow = {**found, "ratio": {"ours": 19.4}}
    (tmp_path / "scratch.json").write_text(json.dumps({"about": machine.describe(), "rows": {"steps": slow}}))
    assert "19.4 times as fast as the page, not 20" in results.compose(tmp_path)
    few = scratch_benchmark.judge({**times, ("page", "step"): [200.0]}, 4)
    assert few["ratio"] == {} and few["rounds_kept"] == 1
