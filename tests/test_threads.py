"""Threads that cannot be had, memory that cannot be had, forks and ends while kernels run; each in its own process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pellucid.ops import native

pytestmark = [
    pytest.mark.skipif(not native.available, reason="the kernels are not built"),
    pytest.mark.skipif(sys.platform != "linux", reason="limits and forks are Linux's"),
]
HERE = Path(__file__).parent

CONVOLUTION = """
import numpy as np
import pellucid
from pellucid.ops import native

x, y = np.ones((64, 32, 32, 16), np.float32), np.empty((64, 32, 32, 16), np.float32)
k = np.ones((3, 3, 16, 16), np.float32)
step = native.conv2d(x, k, None, y, strides=(1, 1), padding=((1, 1), (1, 1)))
def right():
    return bool((abs(y[:, 1:-1, 1:-1] - 144) < 0.001).all())
"""


def start(code: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A process of its own; code: a program's text, or its file."""
    program = [code] if code.endswith(".py") else ["-c", code]
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )


def interruptible() -> None:
    """As from a terminal, also where these tests run in a shell's background, which ignores SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """(status, output, errors); a process that hangs is ended, and its status is then -9."""
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
    return process.returncode, out, err


@pytest.mark.parametrize("megabytes", [2, 10, 30])
def test_with_fewer_threads_than_asked_for_it_goes_on(megabytes: int) -> None:
    """The kernel needs 1 MB, a thread's stack is 8 MB of address space; what is left is for none, one or three."""
    limited = f"""
import resource
native.set_num_threads(64)
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + {megabytes} * 2**20, resource.RLIM_INFINITY))
native.run(step)
native.run(step)
print(native.num_threads())
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert right()
native.set_num_threads(2)
native.run(step)
print(native.num_threads())
"""
    status, out, err = ended(start(CONVOLUTION + limited))
    assert status == 0, err
    fewer, after = map(int, out.split())
    assert 1 <= fewer <= 1 + megabytes / 8 and after == 2
    assert err.count("RuntimeWarning") == 1 and f"only {fewer} of 64 threads could be started" in err, err


def test_a_warning_that_is_an_error_costs_no_work() -> None:
    code = """
import resource
native.set_num_threads(64)
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 2**21, resource.RLIM_INFINITY))
native.run(step)
print(round(float(y[0, 5, 5, 0])))
"""
    status, out, err = ended(start(CONVOLUTION + code, PYTHONWARNINGS="error::RuntimeWarning"))
    assert (status, out.split()) == (0, ["144"]), err
    assert "RuntimeWarning: only 1 of 64" in err


def test_without_memory_every_kernel_raises_memory_error() -> None:
    """And computes what it should once there is some; threads without any leave their tasks to the one that has."""
    program = start(str(HERE / "faults" / "starved_kernels.py"), MALLOC_ARENA_MAX="1")
    status, out, err = ended(program)
    assert status == 0, err
    found = json.loads(out)
    users = {"conv2d", "conv2d_backward_input", "conv2d_backward_kernel", "conv2d_pool", "conv2d_pool_backward_kernel"}
    users |= {"dense", "dense_backward_input", "dense_backward_kernel", "softmax_cross_entropy", "local_response_norm"}
    assert users <= set(found["starved"])
    assert found["failed"] == []


def test_leaving_while_a_daemon_thread_computes() -> None:
    code = """
import signal, sys, threading, time
from pellucid.layers import Conv2D, Dense, Flatten
model = pellucid.Sequential([Conv2D(4, 3, input_shape=(32, 32, 16)), Flatten(), Dense(2)])
model.compile("sgd", "categorical_crossentropy")
work = {
    "run": lambda: native.run(step),
    "fit": lambda: model.fit(x, np.arange(64) % 2, epochs=9, verbose=0),
    "predict": lambda: model.predict(x),
    "evaluate": lambda: model.evaluate(x, np.arange(64) % 2, verbose=0),
}[sys.argv[1]]
def forever():
    while True:
        work()
threading.Thread(target=forever, daemon=True).start()
time.sleep(0.1)
if sys.argv[2] == "leave":
    sys.exit(7)
signal.raise_signal(getattr(signal, sys.argv[2]))
"""
    begun = [
        (start(CONVOLUTION + code, what, how), status)
        for what, how, status in [
            ("run", "leave", 7),
            ("fit", "leave", 7),
            ("predict", "SIGTERM", -15),
            ("evaluate", "SIGINT", -2),
        ]
    ]
    for process, status in begun:
        got, _, err = ended(process)
        assert got == status and ("KeyboardInterrupt" in err) == (status == -2) and "Fatal" not in err, (got, err)


def test_a_child_forked_amid_a_run_may_run_the_same_program() -> None:
    code = """
import os, threading, time
program, stop = native.Program([step]), False
def work():
    while not stop:
        program.run()
thread = threading.Thread(target=work)
thread.start()
for _ in range(10):
    time.sleep(0.005)
    child = os.fork()
    if not child:
        program.refresh()
        program.run()
        os._exit(0 if right() else 1)
    print(os.waitpid(child, 0)[1])
stop = True
thread.join()
"""
    status, out, err = ended(start(CONVOLUTION + code, PELLUCID_NUM_THREADS="2"))
    assert (status, out.split()) == (0, ["0"] * 10), err


def test_a_small_program_wakes_no_thread_and_a_large_one_wakes_all() -> None:
    code = """
import json, threading, time
from pathlib import Path
def wakings():
    found = {}
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) != threading.get_native_id():
            lines = (task / "status").read_text().splitlines()
            found[task.name] = next(int(line.split()[1]) for line in lines if line.startswith("voluntary"))
    return found
def woken(n):
    program.run(n); program.run(n)
    time.sleep(0.1)  # until the workers sleep
    before = wakings()
    for _ in range(10):
        program.run(n)
        time.sleep(0.01)
    after = wakings()
    return sum(after[task] > count for task, count in before.items()), float(y[:n].astype("float64").sum())
rng = np.random.default_rng(0)
x, k = rng.random((64, 32, 32, 8), np.float32), rng.random((3, 3, 8, 8), np.float32)
y = np.empty((64, 32, 32, 8), np.float32)
program = native.Program([native.conv2d(x, k, None, y, strides=(1, 1), padding=((1, 1), (1, 1)))], fixed_weights=True)
native.set_num_threads(1); alone = [woken(1), woken(64)]
native.set_num_threads(4); together = [woken(1), woken(64)]
rapid = {(program.run(1), y[:1].tobytes())[1] for _ in range(300)}  # these share their work
print(json.dumps([alone, together, len(rapid)]))
"""
    status, out, err = ended(start(CONVOLUTION + code))
    assert status == 0, err
    (small, large), (small_shared, large_shared), kinds = json.loads(out)
    assert kinds == 1
    assert small_shared == [0, small[1]]
    assert large_shared == [3, large[1]]
