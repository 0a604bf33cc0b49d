"""Fuzz the readers of files from strangers: `python scripts/fuzz.py TARGET [FOLDER] [libFuzzer's options]`.

Coverage-guided by atheris (`pip install atheris`, Python 3.11). A reader may give data or its own typed error. Any
other exception, ten minutes for one input, or two gigabytes of memory is a finding; from commands, all but an exit
status of 0 or 1 with a few lines, 20 seconds, and a change outside the run. TARGET is one of

    header  a model file's header, wrapped with a right length and a right checksum, so that those stop nothing
    file    a model file's bytes as they are
    model   a model's description, in a file that is otherwise whole; one that is read is shown, used and saved
    folder  a run folder whose entries are others than they should be; the input is a seed; every command follows
    resume  a checkpoint's facts, in a file that is otherwise whole; train --resume follows
    run     a run's run.json and log.jsonl: what evaluate, show curves, report and train --resume read of them
    idx     an IDX file, gzipped where the input's first byte is odd
    cifar   a CIFAR-10 file, of records or pickled
    pickle  a pickle of arrays
    npz     a run's snapshot, a zip archive of arrays; of one array alone where the first byte is odd

FOLDER keeps inputs that reached something new, and is filled with small honest files to start from:

    python scripts/fuzz.py header /tmp/fuzz/header -max_total_time=600 -print_final_stats=1

What it found lies in tests/faults/.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import io
import json
import math
import pickle
import random
import shlex
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import atheris
import numpy as np
from fuzz_changes import changed, described, description_of

with atheris.instrument_imports(include=["pellucid"]):
    from fuzz_folders import Folders

    from pellucid import layers as L
    from pellucid.cli import main, report
    from pellucid.cli.judge import judged
    from pellucid.datasets import cifar, idx
    from pellucid.errors import CheckpointError, ConfigError, DataError, PellucidError
    from pellucid.files import safe_pickle, tensor_file
    from pellucid.files.inside import Inside
    from pellucid.model import Model
    from pellucid.model import file as model_file
    from pellucid.runs import resume
    from pellucid.runs.folder import read_record, title_of
    from pellucid.runs.record import RESUMABLE
    from pellucid.runs.setup import fraction
    from pellucid.train.doctor import in_language, read_findings
    from pellucid.train.snapshots import read_snapshot
    from pellucid.visualise import curves_figure, held_name, read_log

MAX_MESSAGE = 4_000
LIMITS_S = {"folder": 60, "resume": 20}
"""For one input; a hang is a finding."""
SCRATCH = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
FILE, RUN = SCRATCH / "input", SCRATCH / "run"


def wrapped(header: bytes) -> bytes:
    """A header's text as a file: a right length, data as long as the arrays say, and a right checksum in its place."""
    data = b""
    try:
        table = json.loads(header)
        texts = table.pop("__metadata__")
        size = max(entry["data_offsets"][1] for entry in table.values())
        data = bytes(min(size, 4096))
        parts = (texts["pellucid"].encode(), json.dumps(table, sort_keys=True, separators=(",", ":")).encode())
        covered = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
        right = hashlib.sha256(covered + data).hexdigest()
        header = header.replace(texts["sha256"].encode(), right.encode()) if texts["sha256"] else header
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        pass
    return len(header).to_bytes(8, "little") + header + data


def honest() -> bytes:
    """A small model of many kinds of layers."""
    x = inputs = L.Input((6, 5, 2))
    for layer in (L.ZeroPadding2D(1), L.Conv2D(4, (3, 2), groups=2, activation="relu", kernel_regularizer=L.L2(0.1))):
        x = layer(x)
    x = L.Concatenate()([L.Add()([L.BatchNorm()(x), x]), x])  # read three times
    for layer in (L.MaxPool2D(2), L.Flatten(), L.Dropout(0.5), L.Dense(3, "softmax")):
        x = layer(x)
    model = Model(inputs, x)
    model.class_names = ("a", "고양이", "c")
    model.compile("adam", "categorical_crossentropy")
    model.save(FILE)
    return FILE.read_bytes()


HONEST = honest()
HEADER = HONEST[8 : 8 + int.from_bytes(HONEST[:8], "little")]


def mutated_json(data: bytes, max_size: int, seed: int) -> bytes:
    """Mostly changes of the tree, which stay JSON; sometimes of bytes."""
    rng = random.Random(seed)
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        tree = None
    if tree is None or rng.random() < 0.2:
        return bytes(atheris.Mutate(data, max_size))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        tree = changed(tree, rng)
    try:
        return json.dumps(tree).encode()[:max_size]
    except RecursionError:
        return data


def read_header(data: bytes) -> None:
    FILE.write_bytes(wrapped(data))
    tensor_file.read(FILE)


def read_file(data: bytes) -> None:
    FILE.write_bytes(data)
    model_file.load(FILE)


def read_model(data: bytes) -> None:
    FILE.write_bytes(described(data, HONEST))
    model = model_file.load(FILE)
    with contextlib.suppress(PellucidError):
        use(model)


def use(model: Model) -> None:
    """What people do with a model that was read."""
    model.summary(print_fn=str)
    checks = model.input_shape, model.output_shape
    if max(map(math.prod, checks)) > 10_000 or model.outline().macs > 10**7:
        return
    pictures = np.zeros((2, *model.input_shape), np.float32)
    outputs = model.predict(pictures, verbose=0)
    if model.class_names is not None and outputs.ndim == 2:
        judged(model, [FILE, FILE], list(pictures), 2)
    if model.compiled_config() is not None:
        model.evaluate(pictures, np.zeros(outputs.shape, np.float32), verbose=0)
    model.save(SCRATCH / "again")
    model_file.load(SCRATCH / "again")


def read_run(data: bytes) -> None:
    record, _, log = data.partition(b"\0")
    (RUN / "run.json").write_bytes(record)
    (RUN / "log.jsonl").write_bytes(log)
    for read in (told, continued, drawn):
        with contextlib.suppress(CheckpointError, ConfigError, DataError):
            read(Inside(RUN))


def told(folder: Inside) -> None:
    record = read_record(folder)
    title_of(folder), held_name(record)
    shlex.join(record.get("command", []))


def continued(folder: Inside) -> None:
    record = read_record(folder, RESUMABLE)
    resume._config(record["training"], None)
    resume._loading(record["data"]["loading"])
    fraction(record["data"]["loading"]["validation"])


def drawn(folder: Inside) -> None:
    for said in read_findings(folder / "log.jsonl"):
        in_language(said, "ko")
    report._last_event(folder / "log.jsonl").get("best_epoch")
    resume._logged_epochs(folder / "log.jsonl")
    curves_figure(read_log(folder / "log.jsonl"))


def run_seeds() -> list[bytes]:
    main(["train", "--limit", "32", "--test-limit", "8", "--epochs", "1", "-q", "--out", str(RUN)])
    text = json.dumps(json.loads((RUN / "run.json").read_bytes()))
    return [text.encode() + b"\0" + (RUN / "log.jsonl").read_bytes()]


def mutated_run(data: bytes, max_size: int, seed: int) -> bytes:
    """A change of the record, or of one line of the log."""
    record, _, log = data.partition(b"\0")
    lines = log.split(b"\n")
    place = random.Random(seed).randrange(len(lines) + 2)
    if place >= len(lines):
        record = mutated_json(record, max_size, seed)
    else:
        lines[place] = mutated_json(lines[place], max_size, seed)
    changed = record + b"\0" + b"\n".join(lines)
    return changed if len(changed) <= max_size else data[:max_size]


@functools.cache
def folders() -> Folders:
    return Folders(SCRATCH / "folders")


def read_folder(data: bytes) -> None:
    folders().tried(data, commands=4)


def read_idx(data: bytes) -> None:
    FILE.write_bytes(gzip.compress(data[1:], 1) if data[:1] and data[0] % 2 else data[1:])
    idx.read_idx(FILE)
    idx.read_pair(FILE, FILE, classes=10)


def read_cifar(data: bytes) -> None:
    FILE.write_bytes(data[1:])
    if data[:1] and data[0] % 2:
        cifar.read_python(FILE)
    else:
        cifar.read_binary(FILE)


def read_pickle(data: bytes) -> None:
    safe_pickle.loads(io.BytesIO(data))
    safe_pickle.loads(data, name="input")


def read_npz(data: bytes) -> None:
    if data[:1] and data[0] % 2:
        with zipfile.ZipFile(FILE, "w") as archive:
            archive.writestr("weights/a.npy", data[1:])
    else:
        FILE.write_bytes(data[1:])
    for filters in (False, True):
        read_snapshot(FILE, filters=filters)


def npz_seeds() -> list[bytes]:
    arrays = {"weights/a": np.arange(64), "weights/a/range": np.array([-1.0, 2.0]), "filters": np.ones((3, 2, 1, 4))}
    files = [io.BytesIO() for _ in range(3)]
    np.savez(files[0], **arrays)  # type: ignore[arg-type]
    np.savez_compressed(files[1], **arrays)  # type: ignore[arg-type]
    np.save(files[2], arrays["weights/a"])
    return [bytes([number // 2]) + file.getvalue() for number, file in enumerate(files)]


def idx_seeds() -> list[bytes]:
    shapes = ((0x08, (2, 3, 2), 12), (0x08, (4,), 4), (0x0D, (2, 2), 16), (0x0B, (0, 3), 0))
    files = [bytes([0, 0, code, len(s)]) + np.array(s, ">u4").tobytes() + bytes(n) for code, s, n in shapes]
    return [bytes([first]) + file for file in files for first in (0, 1)]


def cifar_seeds() -> list[bytes]:
    batch = {b"data": np.zeros((1, 3072), np.uint8), b"labels": [3], b"filenames": [b"a.png"]}
    return [bytes(1 + 3073), *(b"\1" + pickle.dumps(batch, protocol) for protocol in (2, 4))]


def pickle_seeds() -> list[bytes]:
    values = {"W1": np.ones((2, 3), np.float32), b"b": [1, -2.5, None, True, ("x", b"y"), 2**70], "s": np.float64(3)}
    return [pickle.dumps(values, protocol) for protocol in range(6)]


TARGETS: dict[str, tuple[Callable[[bytes], None], type[Exception], Callable[[], list[bytes]]]] = {
    "header": (read_header, CheckpointError, lambda: [HEADER]),
    "file": (read_file, CheckpointError, lambda: [HONEST]),
    "model": (read_model, CheckpointError, lambda: [description_of(HONEST)]),
    "folder": (read_folder, CheckpointError, lambda: [bytes([number]) for number in range(40)]),
    "resume": (lambda data: folders().resumed(data) and None, CheckpointError, lambda: [folders().facts()]),
    "run": (read_run, CheckpointError, run_seeds),
    "idx": (read_idx, DataError, idx_seeds),
    "cifar": (read_cifar, DataError, cifar_seeds),
    "pickle": (read_pickle, DataError, pickle_seeds),
    "npz": (read_npz, CheckpointError, npz_seeds),
}


def begin() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        raise SystemExit(__doc__)
    reader, expected, seeds = TARGETS[sys.argv[1]]
    rest = sys.argv[2:]
    warnings.simplefilter("ignore")

    def once(data: bytes) -> None:
        try:
            reader(data)
        except expected as error:
            if not 0 < len(str(error)) < MAX_MESSAGE:
                raise RuntimeError(f"a message of {len(str(error))} characters") from error

    words = SCRATCH / "words"
    names = {*L.LAYERS, *json.loads(json.loads(HEADER)["__metadata__"]["pellucid"]), "NaN", "1e999", "\\ud800"}
    names |= {"numpy", "ndarray", "_reconstruct", "numpy.core.multiarray", "data", "labels", "dtype", "data_offsets"}
    words.write_text("".join(f'"{name}"\n' for name in sorted(names) if "\\" not in name and name.isascii()))
    for folder in [Path(option) for option in rest if not option.startswith("-")][:1]:
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds()):
            (folder / f"seed-{number}").write_bytes(seed)
    options = [f"-dict={words}", f"-timeout={LIMITS_S.get(sys.argv[1], 600)}", "-rss_limit_mb=2048", "-max_len=8192"]
    changes = {"header": mutated_json, "model": mutated_json, "resume": mutated_json, "run": mutated_run}
    mutator = {"custom_mutator": changes[sys.argv[1]]} if sys.argv[1] in changes else {}
    atheris.Setup([sys.argv[0], *options, *rest], once, **mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    begin()
