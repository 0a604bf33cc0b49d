"""The benchmark measures what it says, in a process of its own; no time is judged here."""

from __future__ import annotations

import pytest

from pellucid import bench
from pellucid.errors import ConfigError
from pellucid.ops import native

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
