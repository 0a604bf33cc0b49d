"""The page's 20-epoch MNIST run: its own NumPy code against pellucid.scratch, step by step on the same machine.

    python benchmarks/scratch.py [--rounds 25] [--whole] [--write]

Three contenders, each in a process of its own: "page", the page's SimpleConvNet on the page's NumPy layers; "ours",
pellucid.scratch's; and "page on ours", the page's class with nothing but its imports changed. A step is the trainer's:
draw a batch of 100, gradient, Adam, and the loss once more. A judgement is `accuracy` of 500 pictures, of which the run
needs 4 after each epoch (1,000 pictures of each part) and 20 for the 10,000 test pictures at its end. So the run of
12,000 steps takes 12,000 * step + 100 * judgement. --whole also trains all 20 epochs of "ours" once, by the clock.
Turns are interleaved, and kept, as workers.py says. Each is TURN_S of work untimed and TURN_S timed, so that a
contender finds its own data in the caches, as in a run of 12,000 steps, and not those of the contender before it; glibc
is as it comes, as for whoever runs the page's program.
Needs MNIST where Pellucid finds it (PELLUCID_DATA).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import machine
from contenders import WARM_UPS, median_ms, own_stdout, settle
from peers import MINIMUM_ROUNDS, close, rounded
from workers import Rounds, Worker, launch, launch_probe, quartiles

sys.path.insert(0, str(machine.HERE.parent / "tests"))  # the page's code lies there

RESULTS = machine.RESULTS / "scratch.json"
CONTENDERS = ("page", "page on ours", "ours")
WORKS = ("step", "judgement")
EPOCHS, STEPS, JUDGEMENTS = 20, 12_000, 100
BATCH, JUDGED, TURN_S, THREADS = 100, 500, 0.8, 2
FLOOR = 20.0


def make(contender: str, work: str) -> Callable[[], Any]:
    """One step, or one judgement, of a contender."""
    import numpy as np
    import page_layers
    from page_programs import page_network

    from pellucid import scratch

    (x, t), _ = scratch.load_mnist(flatten=False)
    np.random.seed(0)
    kinds = {
        "page": (page_network("page_layers"), page_layers.Adam),
        "page on ours": (page_network("pellucid.scratch"), scratch.Adam),
        "ours": (scratch.SimpleConvNet, scratch.Adam),
    }
    build, adam = kinds[contender]
    network, optimizer = build(), adam(lr=0.001)
    if work == "judgement":
        x, t = x[:JUDGED], t[:JUDGED]
        return lambda: network.accuracy(x, t)

    def step() -> float:
        rows = np.random.choice(len(x), BATCH)
        optimizer.update(network.params, network.gradient(x[rows], t[rows]))
        return float(network.loss(x[rows], t[rows]))

    return step


def work_as(contender: str, work: str) -> None:
    """Be a worker: time what the lines on stdin ask for."""
    channel = own_stdout()
    step = make(contender, work)
    for _ in range(WARM_UPS):
        step()
    print(json.dumps({}), file=channel, flush=True)
    for _ in sys.stdin:  # the order says how many steps; here it is for how long
        settle(step, TURN_S)
        count = max(1, int(1e3 * TURN_S / median_ms(step, 1)))
        print(json.dumps({"ms": median_ms(step, count)}), file=channel, flush=True)


def run_s(times_ms: Mapping[str, float]) -> float:
    """Seconds of the whole run, from milliseconds of each work."""
    return (STEPS * times_ms["step"] + JUDGEMENTS * times_ms["judgement"]) / 1e3


def compare(rounds: int) -> dict[str, Any]:
    """Interleaved rounds of all contenders and both works."""

    def started(contender: str, work: str) -> Worker:
        arguments = ["scratch.py", "--worker", contender, work]
        return launch(f"{contender} {work}", arguments, THREADS, keep_memory=False)

    workers = {(contender, work): started(contender, work) for contender in CONTENDERS for work in WORKS}
    if not all([worker.ready() for worker in workers.values()]):
        raise SystemExit("a contender cannot run here")
    probe, timing = launch_probe(THREADS), Rounds()
    timing.run(probe, list(workers.values()), 1, rounds)
    close([*workers.values(), probe])
    return judge({key: timing.kept(worker) for key, worker in workers.items()}, timing.made)


def judge(times_ms: Mapping[tuple[str, str], list[float]], rounds: int) -> dict[str, Any]:
    """Quartiles of the turns kept, what the run takes by their medians, and how many times as fast as the page's."""
    fewest = min(map(len, times_ms.values()))
    result: dict[str, Any] = {"rounds": rounds, "rounds_kept": fewest, "floor": FLOOR}
    result |= {"quartiles_ms": {}, "run_s": {}, "ratio": {}}
    if fewest < MINIMUM_ROUNDS:
        return result
    for contender in CONTENDERS:
        found = {work: quartiles(times_ms[contender, work]) for work in WORKS}
        result["quartiles_ms"][contender] = {work: rounded(values) for work, values in found.items()}
        result["run_s"][contender] = run_s({work: values[1] for work, values in found.items()})
    for contender in CONTENDERS[1:]:
        result["ratio"][contender] = result["run_s"]["page"] / result["run_s"][contender]
    return result


def whole_run() -> dict[str, Any]:
    """The page's training program with our network, by the clock: loading, 20 epochs, and the last judgement."""
    import numpy as np

    from pellucid.scratch import SimpleConvNet, Trainer, load_mnist

    start = time.perf_counter()
    (x_train, t_train), (x_test, t_test) = load_mnist(flatten=False)
    np.random.seed(0)
    network = SimpleConvNet()
    trainer = Trainer(
        network,
        x_train,
        t_train,
        x_test,
        t_test,
        epochs=EPOCHS,
        mini_batch_size=BATCH,
        optimizer="Adam",
        optimizer_param={"lr": 0.001},
        evaluate_sample_num_per_epoch=1000,
        verbose=False,
    )
    trainer.train()
    elapsed_s = time.perf_counter() - start
    right = round(network.accuracy(x_test, t_test) * len(x_test))
    return {"elapsed_s": round(elapsed_s, 1), "right": right, "steps": len(trainer.train_loss_list)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--whole", action="store_true", help="also train 20 epochs once")
    parser.add_argument("--fresh", action="store_true", help="measure again what is there already")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md afterwards")
    parser.add_argument("--worker", nargs=2, metavar=("CONTENDER", "WORK"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work_as(*options.worker)
        return
    stored = machine.Stored(RESULTS, machine.describe())
    result = None if options.fresh else stored.get("steps")
    if result is None or result["rounds_kept"] < options.rounds:
        result = compare(options.rounds)
        stored.put("steps", result)
    for contender, times in result["quartiles_ms"].items():
        told = ", ".join(f"a {work} {times[work][1]:.1f} ms" for work in WORKS)
        ratio = f", {result['ratio'][contender]:.1f} times as fast" if contender in result["ratio"] else ""
        print(f"{contender}: {told}; {EPOCHS} epochs {result['run_s'][contender]:,.0f} s{ratio}")
    print(f"{result['rounds_kept']} of {result['rounds']} turns kept")
    if options.whole and (options.fresh or stored.get("whole") is None):
        stored.put("whole", whole_run())
    if whole := stored.get("whole"):
        print(f"{EPOCHS} epochs of ours by the clock: {whole['elapsed_s']} s, {whole['right']:,} of 10,000 right")
    if options.write:
        import results

        results.write()


if __name__ == "__main__":
    main()
