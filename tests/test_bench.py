"""The benchmark measures what it says, in a process of its own; no time is judged here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from pellucid import bench
from pellucid.bench.kernels import measure_call
from pellucid.cli.bench import show_step
from pellucid.errors import ConfigError
from pellucid.ops import native
from pellucid.ops.table import TABLE

pytestmark = pytest.mark.skipif(not native.available, reason="no compiled kernels")


@pytest.mark.parametrize("work", ["train", "infer"])
def test_a_network_is_measured(work: str) -> None:
    found = bench.run(bench.Job("simple-convnet", work, 10, 2), threads=1)
    assert (found.network, found.work, found.batch) == ("simple-convnet", work, 10)
    assert found.images_per_s == pytest.approx(1e3 * 10 / found.ms)
    kernels = {time.kernel: time for time in found.kernels}
    assert kernels["dense"].count == 2
    assert ("adam" in kernels) == (work == "train")
    # 432,000 multiply-adds a picture, timed at any speed
    convolution = kernels["conv2d_pool"]
    assert convolution.gflops * convolution.ms * 1e6 == pytest.approx(2 * 10 * 432_000)
    assert found.planned_mb > 433_890 * 4 / 2**20
    assert found.limits.gflops > 0 and found.limits.gbytes > 0


def test_an_error_in_the_process_is_the_callers() -> None:
    with pytest.raises(ConfigError, match="did you mean"):
        bench.run(bench.Job("cifarnet", "train", 4, 1))
    with pytest.raises(ConfigError, match="train"):
        bench.run(bench.Job("lenet5", "learn", 4, 1))


def test_every_registered_kernel_is_in_the_table() -> None:
    assert {op.kernel for op in TABLE.values() if op.typical} == set(native.signatures())


@pytest.mark.parametrize("kernel", ["conv2d", "adam", "fma_probe"])
def test_a_kernel_is_measured_beside_the_limit(kernel: str) -> None:
    op = TABLE[kernel]
    rate = measure_call(op, op.typical[0], bench.Limits(gflops=100.0, gbytes=10.0))
    assert rate.kernel == kernel and rate.ms > 0
    assert rate.share == pytest.approx(max(rate.gflops / 100, rate.gbytes / 10))
    flops, num_bytes = {
        # 25 multiply-adds for each of 100 x 24 x 24 x 30 results
        "conv2d": (2 * 25 * 1_728_000, 4 * (78_400 + 750 + 1_728_000)),
        "adam": (0, 7 * 64_000_000),
        "fma_probe": (rate.gflops * rate.ms * 1e6, 0),
    }[kernel]
    assert rate.gflops * rate.ms * 1e6 == pytest.approx(flops)
    assert rate.gbytes * rate.ms * 1e6 == pytest.approx(num_bytes)


def test_a_share_goes_by_the_nearer_limit() -> None:
    limits = bench.Limits(gflops=200.0, gbytes=40.0)
    assert limits.share(100.0, 4.0) == 0.5
    assert limits.share(10.0, 36.0) == 0.9


def step_table(every: bool, capsys: pytest.CaptureFixture[str]) -> str:
    times = [(f"kernel{i}", ms) for i, ms in enumerate((50.0, 40.0, 9.5, 0.3, 0.2))]
    kernels = tuple(bench.KernelTime(name, 2, ms, 100.0, 4.0) for name, ms in times)
    limits = bench.Limits(gflops=200.0, gbytes=40.0)
    found = bench.Measurement("lenet5", "train", 10, 1.0, 1e4, 1.0, 1.0, limits, kernels)
    show_step(found, every=every)
    return capsys.readouterr().out


def test_every_kernel_of_a_step_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    short = step_table(False, capsys)
    assert "kernel2" in short and "kernel3" not in short
    assert max(map(len, short.splitlines())) <= 80
    others = next(line.split() for line in short.splitlines() if "2 others" in line)
    assert others == ["2", "others", "4", "0.50", "0%"]
    assert "50%" in next(line for line in short.splitlines() if "kernel0" in line)
    full = step_table(True, capsys)
    assert "kernel4" in full and "others" not in full


def _heed_interrupts() -> None:
    """A shell has its background commands ignore them, and so what those start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_it_without_a_trace() -> None:
    words = [sys.executable, "-m", "pellucid", "bench", "--network", "vgg16"]
    with subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=_heed_interrupts
    ) as process:
        assert process.stderr
        line = process.stderr.readline()
        assert "vgg16" in line
        time.sleep(2)  # wherever the measuring process is by now: the terminal interrupts all of them
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert "Traceback" not in process.stderr.read()
