"""Processes that torchrun starts: a killed worker, a killed torchrun, fit in a program, and docs/many.md."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import Command
from page_blocks import blocks, lines
from PIL import Image
from typer.main import get_command

from pellucid import load
from pellucid.errors import BackendError
from pellucid.train.gloo import meet, meeting_s

PAGE = Path(__file__).parent.parent / "docs" / "many.md"
PICTURES = ("--limit", "400", "--test-limit", "50", "--batch-size", "25")
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
SMALL = (*PICTURES, "--epochs", "6", "--seed", "2", "--quiet", "--shards", "2")


def start(*options: str | Path, out: Path) -> subprocess.Popen[str]:
    """Two processes that train on the digits, and are started again when one ends."""
    return subprocess.Popen(
        [sys.executable, *LAUNCH, "--max-restarts", "3", "-m", "pellucid", "train", *SMALL, *map(str, options),
         "--out", str(out)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def workers(launcher: int) -> list[int]:
    found = Path(f"/proc/{launcher}/task/{launcher}/children").read_text()
    return [int(word) for word in found.split()]


def losses(run: Path) -> list[tuple[float, float]]:
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [(event["loss"], event["val_loss"]) for event in log if event["event"] == "epoch"]


ENGINES = {"pellucid": (), "torch": ("--engine", "torch", "--precision", "float64")}
"""With what each is given: by gradients in float64 PyTorch's order of adding them leaves the same float32."""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers by Linux's /proc")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_worker_is_started_again_to_the_end_of_one_process(
    engine: str, command: Command, tmp_path: Path
) -> None:
    run, options = tmp_path / "many", ENGINES[engine]
    assert command("train", *SMALL, *options, "--out", tmp_path / "alone")[0] == 0
    launched = start(*options, out=run)
    try:
        deadline = time.monotonic() + 240
        while not list(run.glob("checkpoints/epoch-*.safetensors")) or not (run / "run.json").exists():
            assert time.monotonic() < deadline and launched.poll() is None
            time.sleep(0.02)
        os.kill(workers(launched.pid)[-1], signal.SIGKILL)
        _, err = launched.communicate(timeout=300)
    finally:
        launched.kill()
    assert launched.returncode == 0, err
    assert "Traceback (most recent call last)" not in err
    record = json.loads((run / "run.json").read_text())
    assert len(record["resumed"]) == 1, err
    for name in ("last.safetensors", "model.safetensors"):
        if engine == "pellucid":
            assert (run / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
        found, alone = (load(folder / name).get_weights() for folder in (run, tmp_path / "alone"))
        for one, other in zip(found, alone, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
    assert len(losses(run)) == 6
    np.testing.assert_allclose(losses(run), losses(tmp_path / "alone"), rtol=0 if engine == "pellucid" else 1e-6)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes in Linux's /proc")
def test_a_process_whose_torchrun_went_before_it_looked_ends(tmp_path: Path) -> None:
    """Else it would wait for the others for a long time, and nobody would know of it."""
    place = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "9"}
    command = [sys.executable, "-m", "pellucid", "train", *SMALL, "--out", str(tmp_path / "run")]
    shell = 'child=$1; shift; ("$@" & echo $! > "$child") ; exit 0'
    alone = {**os.environ, **place, "TORCHELASTIC_RUN_ID": "gone"}
    with (tmp_path / "said").open("wb") as said:
        subprocess.run(["sh", "-c", shell, "sh", str(tmp_path / "pid"), *command], env=alone, stderr=said, check=True)
    pid, deadline = int((tmp_path / "pid").read_text()), time.monotonic() + 120
    while Path(f"/proc/{pid}").exists() and b"Z" not in Path(f"/proc/{pid}/stat").read_bytes().split()[2:3]:
        assert time.monotonic() < deadline, (tmp_path / "said").read_text()
        time.sleep(0.1)
    assert "torchrun has ended, so this process does" in (tmp_path / "said").read_text()


def test_a_start_to_which_not_all_come_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchrun does not tell the others of a machine that is lost before its processes have come."""
    from torch.distributed import HashStore

    for rank in (0, 1):
        store = HashStore()
        store.set("knows/1", "an earlier start")
        with pytest.raises(BackendError, match=f"process {rank} of 2, on .*: process {1 - rank} has not"):
            meet(store, rank, 2, 0.1)
    waits = []
    for starts, more in (("0", "0"), ("0", "3"), ("3", "3")):
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", starts)
        monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", more)
        waits.append(meeting_s())
    assert waits[1] < 60 < 3600 < waits[0] == waits[2]  # who is started only once may be slow


PROGRAM = """
import hashlib, sys
import numpy as np
import pellucid

class Told(pellucid.train.callbacks.ModelCheckpoint):
    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        model.predict(digits.images[:30], batch_size=10, verbose=0)  # of this process alone
        print("kept", flush=True)

digits = pellucid.datasets.load("digits").train
model = pellucid.zoo.build("simple-convnet", input_shape=(8, 8, 1))
model.compile("adam")
given = dict(epochs=int(sys.argv[1]), shards=4, resume="checkpoints", callbacks=Told("best.safetensors"))
history = model.fit(digits.images[:96], digits.labels[:96], validation_split=0.25, **given)
seen = []
judged = model.evaluate(digits.images[:70], digits.labels[:70], outputs=lambda rows: seen.append(rows.copy()))
answers = model.predict(digits.images[:70], batch_size=9)
numbers = [model.parameters.vector, *seen, answers, model.predict(digits.images[:5])]
bits = hashlib.sha256(b"".join(array.tobytes() for array in numbers)).hexdigest()
sys.stdout.write(f"{bits} {history.history['val_loss'] + list(judged)}\\n")  # in one piece, beside others
"""


def test_a_program_under_torchrun_has_the_bits_of_one_process(tmp_path: Path) -> None:
    """Both processes have all weights, results and answers, the first alone the files, from which one may go on."""
    (tmp_path / "program.py").write_text(PROGRAM)
    lines: dict[str, list[str]] = {}
    for folder, epochs, words in (("alone", "2", ()), ("many", "1", LAUNCH), ("many", "2", ())):
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, *words, str(tmp_path / "program.py"), epochs],
            cwd=place, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        lines[folder + epochs] = [line for line in done.stdout.splitlines() if " [" in line or line == "kept"]
    alone, many, gone_on = (lines[name] for name in ("alone2", "many1", "many2"))
    first, again, told = sorted(many)
    assert first == again and "[" in first and told == "kept"
    assert gone_on == ["kept", alone[-1]]


COMMANDS = """
import sys
from pellucid.cli import main

run, pictures = sys.argv[1:]
assert main(["evaluate", run, "--json"]) == main(["predict", run, pictures, "--top", "2", "--json"]) == 0
"""


def test_evaluate_and_predict_are_shared_and_say_what_one_process_says(
    tmp_path: Path, run_folder: Path, command: Command
) -> None:
    """Three chunks of pictures, one of which holds a file that is none."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (140, 8, 8), np.uint8)):
        Image.fromarray(pixels).save(pictures / f"{number:03d}.png")
    (pictures / "099.png").write_bytes(b"no picture")
    alone = [command("evaluate", run_folder, "--json"), command("predict", run_folder, pictures, "--top", 2, "--json")]
    assert [status for status, *_ in alone] == [0, 0] and alone[1][1].count('"picture":') == 139
    (tmp_path / "program.py").write_text(COMMANDS)
    done = subprocess.run(
        [sys.executable, *LAUNCH, str(tmp_path / "program.py"), str(run_folder), str(pictures)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stderr.count("099.png") == 1, done.stderr
    assert done.stdout == alone[0][1] + alone[1][1]


MISHAPS = """
import os, resource, sys
from pathlib import Path
from pellucid.cli import main
from pellucid.train.gloo import join

out, rank, start = sys.argv[1], os.environ["RANK"], int(os.environ["TORCHELASTIC_RESTART_COUNT"])
data = "digits"
if (start, rank) == (0, "1"):
    os._exit(7)
if (start, rank) == (1, "1"):
    data = "not/there"
if (start, rank) == (2, "0"):
    join()  # of whose memory this limit would be one, too
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
sys.exit(main(["train", "--data", data, *sys.argv[2:], "--out", out]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's limit of a file's size")
def test_what_goes_wrong_in_one_process_ends_all_and_the_next_start_goes_on(tmp_path: Path) -> None:
    """One dies before it has joined, one cannot read the pictures, then rank 0 can write no more."""
    (tmp_path / "program.py").write_text(MISHAPS)
    done = subprocess.run(
        [sys.executable, *LAUNCH, "--max-restarts", "3", str(tmp_path / "program.py"), str(tmp_path / "run"), *SMALL,
         "--epochs", "1"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "not/there: no such folder" in done.stderr
    assert re.search(r"run.checkpoints.*: cannot be written: File too large; choose a folder that", done.stderr)
    assert len(losses(tmp_path / "run")) == 1


def test_the_page_s_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (program,) = blocks(PAGE, "python")
    exec(compile(program, "many.md", "exec"), {})
    assert (tmp_path / "digits.safetensors").is_file() and list((tmp_path / "checkpoints").iterdir())


def test_the_page_s_commands_are_those_that_torchrun_and_pellucid_take() -> None:
    """Parsed by both programs."""
    from torch.distributed.run import get_args_parser

    from pellucid.cli.judge import app
    from pellucid.cli.train import OPTIONS

    commands = [line for line in lines(PAGE, "sh") if "torchrun" in line or "pellucid train" in line]
    parts = re.findall(r"(?:command|args): \[(.*)\]", blocks(PAGE, "yaml")[0])
    commands.append(" ".join(parts).replace('"', "").replace(", ", " "))
    assert len(commands) == 9
    flags = {
        "train": [name for option, row in OPTIONS.items() for name in row.names or (f"--{option.replace('_', '-')}",)]
    }
    for judging in get_command(app).commands.values():  # type: ignore[attr-defined]
        flags[judging.name] = [name for parameter in judging.params for name in parameter.opts]
    for line in commands:
        words = line.removeprefix("srun ").replace("$SLURM_NNODES", "4").split()
        if words[0] == "torchrun":
            given = get_args_parser().parse_args(words[1:])
            if not given.module:  # a program
                continue
            assert given.training_script == "pellucid"
            words = ["pellucid", *given.training_script_args]
        assert {word for word in words if word.startswith("--")} <= set(flags[words[1]]), line
