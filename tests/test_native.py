"""The native layer: steps, programs, threads, instruction sets. That kernels agree with the truth: test_ops.py."""

from __future__ import annotations

import ast
import importlib.util
import multiprocessing
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import steps
from steps import BATCHED, BUILDS, FLAT, SAME3, Arrays, Build

from pellucid.errors import BackendError, ConfigError
from pellucid.ops import native, reference
from pellucid.ops.geometry import Array

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")

ROOT = Path(__file__).resolve().parent.parent


def test_the_probe_computes_what_its_twin_does() -> None:
    out, expected = np.zeros(40, np.float32), np.zeros(40, np.float32)
    native.run(native.fma_probe(out, 500))
    reference.data.fma_probe(expected, 500)
    np.testing.assert_allclose(out, expected, rtol=500 * 2**-23)


@pytest.fixture
def threads() -> Any:
    """Sets the number of threads; puts it back."""
    before = native.num_threads()
    yield native.set_num_threads
    native.set_num_threads(before)


def test_the_stub_says_what_the_module_holds(tmp_path: Path) -> None:
    """Built by scripts/build; compared as Python reads it, since generators differ in white space."""
    pytest.importorskip("nanobind")
    made = tmp_path / "made.pyi"
    words = ["-m", "nanobind.stubgen", "--quiet", "--module", "pellucid.ops._native", "--output-file", str(made)]
    subprocess.run([sys.executable, *words], check=True)
    kept = ROOT / "src" / "pellucid" / "ops" / "_native.pyi"
    assert ast.dump(ast.parse(made.read_text())) == ast.dump(ast.parse(kept.read_text()))


def test_every_kernel_is_exercised_here() -> None:
    assert set(native.signatures()) <= {build.op.kernel for build in BATCHED + FLAT}


@pytest.mark.parametrize("build", BATCHED + FLAT)
def test_same_bits_for_any_number_of_threads(build: Build, threads: Any) -> None:
    results = []
    for count in (1, 2, 3, 8):
        threads(count)
        step, outputs = build(Arrays(9))
        native.run(step)
        results.append([out.tobytes() for out in outputs])
        assert all(not np.isnan(out).any() for out in outputs if out.dtype.kind == "f")
    assert results[1:] == results[:1] * 3


@pytest.mark.parametrize("build", BATCHED)
def test_a_program_run_with_fewer_equals_one_built_for_fewer(build: Build) -> None:
    large, large_outputs = build(Arrays(9))
    small, small_outputs = build(Arrays(4))
    _, untouched = build(Arrays(9))
    native.Program([large]).run(4)
    native.Program([small]).run()
    for a, b, before in zip(large_outputs, small_outputs, untouched, strict=True):
        whole = a.shape == b.shape
        np.testing.assert_array_equal(a if whole else a[:4], b)
        if not whole:
            np.testing.assert_array_equal(a[4:], before[4:], "wrote past the batch")


@pytest.mark.parametrize("build", BATCHED)
def test_an_empty_batch_runs(build: Build) -> None:
    step, _ = build(Arrays(9))
    native.Program([step]).run(0)


@pytest.mark.parametrize("build", BATCHED)
def test_nothing_outside_the_results_is_written(build: Build, monkeypatch: Any) -> None:
    guards: list[Array] = []

    def guarded(self: Arrays, *shape: int) -> Array:
        size = self.n * int(np.prod(shape))
        memory = np.full(size + 64, np.float32(12345))
        guards.append(memory)
        memory[32 : 32 + size] = np.nan
        return memory[32 : 32 + size].reshape(self.n, *shape)

    monkeypatch.setattr(Arrays, "out", guarded)
    step, _ = build(Arrays(9))
    native.run(step)
    for memory in guards:
        assert (memory[:32] == 12345).all() and (memory[-32:] == 12345).all()


def test_a_program_runs_its_steps_in_order_on_one_workspace() -> None:
    a = Arrays(9)
    x, y, z = a.batch(13, 17, 6), a.out(13, 17, 30), a.out(13, 17, 30)
    kernel, bias = a.fixed(3, 3, 6, 30), a.fixed(30)
    program_steps = [native.conv2d(x, kernel, bias, y, **SAME3), native.activation(y, z, "relu"), native.add(y, z)]
    program = native.Program(program_steps)
    assert len(program) == 3 and program.batch == 9
    assert program.workspace_bytes == max(step.workspace_bytes for step in program_steps) > 0
    program.run()
    expected = np.empty_like(y)
    reference.conv.conv2d(x, kernel, bias, expected, **SAME3, dilation=(1, 1), groups=1)
    np.testing.assert_allclose(z, np.maximum(expected, 0) + expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(BackendError, match="built for N = 9 cannot run N = 10"):
        program.run(10)


def test_control_arrays_are_read_when_a_program_runs() -> None:
    param, grad, control = np.zeros(5, np.float32), np.ones(5, np.float32), np.array([0.5, 1.0, 1.0])
    program = native.Program([native.sgd(param, grad, None, control)])
    program.run()
    control[0] = 2.0
    program.run()
    np.testing.assert_array_equal(param, np.full(5, -2.5, np.float32))


def test_many_runs_in_one_call() -> None:
    param, grad, control = np.zeros(5, np.float32), np.ones(5, np.float32), np.array([0.5, 1.0, 1.0])
    program = native.Program([native.sgd(param, grad, None, control)])
    controls, params = np.array([[0.5, 1, 1], [2, 2, 1], [0.25, 3, 1]]), np.zeros((3, 5), np.float32)
    assert program.run_steps(0, 3, [(control, controls)], [(param, params)]) == 3
    np.testing.assert_array_equal(params[:, 0], [-0.5, -2.5, -2.75])
    with pytest.raises(BackendError, match="an array of 24 bytes was given values of 48 bytes for 3 runs"):
        program.run_steps(0, 3, [(control, controls[:2])], [])
    with pytest.raises(BackendError, match="writable C-contiguous"):
        program.run_steps(0, 3, [(control, controls[:, ::2])], [])


def test_many_runs_end_where_a_number_is_not_finite() -> None:
    x, values, seen = np.zeros(2), np.array([[1.0, 2], [3, np.inf], [5, 6]]), np.zeros((3, 2))
    program = native.Program([native.stop_unless_finite(x)])
    assert program.run_steps(0, 3, [(x, values)], [(x, seen)]) == 1
    np.testing.assert_array_equal(seen, [[1, 2], [3, np.inf], [0, 0]])


def test_wrong_arrays_make_no_step() -> None:
    a = Arrays(2)
    x, kernel, y = a.batch(5, 5, 2), a.fixed(3, 3, 2, 4), a.out(5, 5, 4)
    with pytest.raises(BackendError, match="y must have shape"):
        native.conv2d(x, kernel, None, a.out(5, 4, 4), **SAME3)
    with pytest.raises(BackendError, match="'x' must be float32"):
        native.conv2d(x.astype(np.float64), kernel, None, y, **SAME3)
    with pytest.raises(BackendError, match="'kernel' must be a C-contiguous"):
        native.conv2d(x, a.fixed(3, 3, 2, 8)[..., ::2], None, y, **SAME3)
    y.flags.writeable = False
    with pytest.raises(BackendError, match="'y' must be a writable"):
        native.conv2d(x, kernel, None, y, **SAME3)
    with pytest.raises(BackendError, match="unknown activation 'swoosh'"):
        native.activation(x, x, "swoosh")
    with pytest.raises(BackendError, match=r"an average has no argmax, got one of shape \(2, 2, 2, 4\)"):
        argmax = np.zeros((2, 2, 2, 4), np.uint8)
        native.conv2d_pool(x, kernel, None, a.out(2, 2, 4), argmax, **steps.POOLED, average=True)
    with pytest.raises(BackendError, match=r"dbias must have shape \(4\), got \(5,\)"):
        native.bias_backward(a.out(5, 5, 4), a.fixed(5))
    with pytest.raises(BackendError, match=r"control must have shape \(3\), got \(4,\)"):
        native.sgd(a.fixed(5), a.fixed(5), None, np.zeros(4))
    with pytest.raises(BackendError, match=r"x must have shape \(N, INPUTS\), got \(2, 5, 5, 2\)"):
        native.dense(x, a.fixed(50, 4), None, a.out(4))
    with pytest.raises(TypeError, match="missing a required argument: 'dx'"):
        native.dense_backward_input(a.out(4), a.fixed(50, 4))
    with pytest.raises(TypeError, match="dense has one algorithm"):
        native.dense(a.batch(50), a.fixed(50, 4), None, a.out(4), algorithm="direct")
    x.flags.writeable = False  # an input may be read-only
    native.run(native.conv2d(x, kernel, None, a.out(5, 5, 4), **SAME3))


def test_wrong_data_are_reported_and_not_read() -> None:
    a = Arrays(2)
    source, out, one = a.fixed(3, 4, 4, 1), a.out(4, 4, 1), np.ones(1, np.float32)
    for indices in (np.array([0, 3]), np.array([-1, 0])):
        with pytest.raises(BackendError, match="an index lies outside"):
            native.run(native.gather(source, indices, out, one, one))
    with pytest.raises(BackendError, match="an index lies outside"):
        native.run(native.gather(source, np.array([0, 1]), out, one, one, np.array([1])))
    labels = np.array([0, 10], np.int32)
    with pytest.raises(BackendError, match="a label lies outside"):
        native.run(native.softmax_cross_entropy(a.batch(10), labels, None, a.out(), a.out(), a.out(10)))


@pytest.mark.parametrize(("kind", "truth"), [("sigmoid", lambda x: 1 / (1 + np.exp(-x))), ("tanh", np.tanh)])
def test_vector_functions_are_within_a_few_units_in_the_last_place(kind: str, truth: Any) -> None:
    x = np.concatenate([np.linspace(-20, 20, 400_001), np.logspace(-30, 1, 10_000), [0.0, 88.0, -88.0, 100.0, -80.0]])
    x = np.append(x, [np.inf, -np.inf]).astype(np.float32)[:, None]
    y = np.empty_like(x)
    native.run(native.activation(x, y, kind))
    expected = truth(x.astype(np.float64))
    unit = np.spacing(np.maximum(np.abs(expected).astype(np.float32), np.float32(1e-37)))
    assert (np.abs(y - expected) / unit).max() <= 3
    x[0] = np.nan
    native.run(native.activation(x, y, kind))
    assert np.isnan(y[0, 0])


def test_two_python_threads_at_once() -> None:
    step, (expected,) = BUILDS["conv2d"](Arrays(9))
    native.run(step)
    wrong: list[int] = []

    def work() -> None:
        for _ in range(30):
            mine, (y,) = BUILDS["conv2d"](Arrays(9))
            native.run(mine)
            if y.tobytes() != expected.tobytes():
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def _in_child(queue: Any) -> None:
    step, (y,) = BUILDS["conv2d"](Arrays(9))
    native.run(step)
    queue.put(y.tobytes())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_pool_works_on_both_sides_of_a_fork(threads: Any) -> None:
    threads(3)
    step, (y,) = BUILDS["conv2d"](Arrays(9))
    native.run(step)  # the pool's threads exist now; the child has none of them
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=30) == y.tobytes()
    child.join(timeout=30)
    assert child.exitcode == 0
    native.run(step)


def _python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_environment_forces_instruction_set_and_threads() -> None:
    code = "from pellucid.ops import native; print(native.instruction_set(), native.num_threads())"
    for isa in native.instruction_sets():
        assert _python(code, PELLUCID_ISA=isa, PELLUCID_NUM_THREADS="3").stdout.split() == [isa, "3"]
    refused = _python(code, PELLUCID_ISA="mmx")
    assert "BackendError: instruction set 'mmx' is unknown; here: " in refused.stderr
    last = _python(code, PELLUCID_NUM_THREADS="two").stderr.splitlines()[-1]
    assert last.endswith("ConfigError: PELLUCID_NUM_THREADS must be a whole number from 1 to 1024, got 'two'")


@pytest.mark.parametrize("wrong", ["two", "0", "2.5", "-1", "99999999999", "9" * 5000, "²"])
def test_a_wrong_number_of_threads_is_said(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PELLUCID_ISA", raising=False)
    monkeypatch.setenv("PELLUCID_NUM_THREADS", wrong)
    with pytest.raises(ConfigError, match="PELLUCID_NUM_THREADS must be a whole number from 1 to 1024, got ") as said:
        native.runtime._apply_environment()
    assert len(str(said.value)) < 200


@pytest.mark.parametrize("isa", [isa for isa in native.instruction_sets() if isa != native.instruction_sets()[0]])
def test_other_instruction_sets_pass_every_case(isa: str) -> None:
    if os.environ.get("PELLUCID_ISA"):
        pytest.skip("an instruction set is forced already")
    files = [str(ROOT / "tests" / f"test_{name}.py") for name in ("ops", "native", "winograd")]
    others = "reference_itself or environment_forces or share_nothing"  # the same whatever is forced
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-k", f"not ({others})", *files],
        env={**os.environ, "PELLUCID_ISA": isa},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]


def test_compiled_objects_share_nothing_and_do_not_spill() -> None:
    folders = [path.parent for path in ROOT.glob("build/*/CMakeFiles")]
    # 16-wide code on 8-wide registers must spill, and a sanitizer calls its own functions
    special = re.compile(r"PELLUCID_EMULATE_AVX512:BOOL=(ON|1|TRUE)|PELLUCID_SANITIZE:STRING=\w")
    folders = [folder for folder in folders if not special.search((folder / "CMakeCache.txt").read_text())]
    if not folders or sys.platform != "linux":
        pytest.skip("no build folder here")
    spec = importlib.util.spec_from_file_location("check_kernels", ROOT / "scripts" / "check_kernels.py")
    assert spec and spec.loader
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    assert [check.main(folder) for folder in folders] == [0] * len(folders)


def test_a_module_of_other_sources_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native.runtime, "kernel_fields", lambda: {"softmax": [("x", "array", "f")]})
    with pytest.raises(BackendError, match=r"do not fit.*scripts/build"):
        native.signature.signatures.__wrapped__()
    monkeypatch.setattr(native.steps, "signatures", dict)
    with pytest.raises(BackendError, match=r"no kernel 'softmax'.*scripts/build"):
        native.steps._form.__wrapped__("softmax", 2, ())
