"""Folders whose labels stand in a table: columns found, several labels, corrections, and what can be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_files import write, write_pets

import pellucid
from pellucid import datasets, metrics, zoo
from pellucid.cli.app import main
from pellucid.datasets.tables import read_table
from pellucid.errors import ConfigError, DataError
from pellucid.runs.folder import read_record
from pellucid.runs.setup import with_sigmoid
from pellucid.visualise import held_name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures in one folder and its sub-folder, p00.png to p11.png."""
    root = tmp_path_factory.mktemp("photos")
    for number in range(12):
        write(root / ("more" if number > 9 else "") / f"p{number:02}.png", size=(8, 8), colour=(20 * number, 90, 30))
    return root


@pytest.fixture
def table(folder: Path) -> Any:
    """Writes a table beside the pictures, gone afterwards."""
    path = folder / "labels.csv"

    def written(text: str, encoding: str = "utf-8") -> Path:
        path.write_text(text, encoding=encoding)
        return path

    yield written
    path.unlink(missing_ok=True)


def rows(of: Any, count: int = 12) -> str:
    return "".join(f"p{number:02},{of(number)}\n" for number in range(count))


def halves(number: int) -> str:
    return "cat" if number % 2 else "dog"


def test_columns_are_found_by_their_names_and_said(folder: Path, table: Any) -> None:
    text = "image_id,breed,set\n" + rows(lambda n: f"{halves(n)},{'Valid' if n > 7 else 'training'}")
    dataset = datasets.load(folder, labels=table(text, "utf-8-sig"))
    assert dataset.class_names == ("cat", "dog")
    assert (len(dataset.train), len(dataset.validation or ())) == (8, 4)
    assert dataset.validation is not None and dataset.validation.files is not None
    assert dataset.validation.files[2:] == ["p08.png", "p09.png"] or "more/p10.png" in dataset.validation.files
    for split in (dataset.train, dataset.validation):
        for name, label in zip(split.files or (), split.labels, strict=True):
            assert dataset.class_names[label] == halves(int(name[-6:-4]))
    assert any("file from 'image_id', label from 'breed', part from 'set'" in fact for fact in dataset.facts)


def test_a_data_frame_is_a_table_too(folder: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    frame = pandas.DataFrame({"x": [f"p{n:02}.png" for n in range(10)], "kind": [n % 3 for n in range(10)]})
    dataset = datasets.load(folder, labels=frame, columns={"file": "x", "label": "kind"}, validation=0.3)
    assert dataset.class_names == ("0", "1", "2") and len(dataset.train) + len(dataset.test) == 10
    assert ("more/p10.png", "is not in labels") in dataset.skipped


@pytest.mark.parametrize(
    "text",
    [
        "file,labels\n" + rows(lambda n: ["", "cat", "cat|dog"][n % 3]),
        "file;labels\n" + rows(lambda n: ["", "cat", '"cat;dog"'][n % 3]).replace(",", ";"),
        "file,cat,dog\n" + rows(lambda n: ["0,0", "1,0", "1,1"][n % 3]),
    ],
)
def test_several_labels_stand_in_a_cell_or_in_columns(folder: Path, table: Any, text: str) -> None:
    dataset = datasets.load(folder, labels=table(text))
    assert dataset.train.several and not dataset.train.per_pixel
    for split in (dataset.train, dataset.test):
        wanted = [[[0, 0], [1, 0], [1, 1]][int(name[-6:-4]) % 3] for name in split.files or ()]
        np.testing.assert_array_equal(split.labels, wanted)
    assert dataset.facts[0].startswith("2 classes, several a picture: cat (")


def test_columns_of_one_label_each_are_one_label(folder: Path, table: Any) -> None:
    dataset = datasets.load(folder, labels=table("file,dog,cat\n" + rows(lambda n: "1,0" if n % 2 else "0,1")))
    assert not dataset.train.several and dataset.class_names == ("dog", "cat")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "file,label\np00.png,a\nq01.png,b\n",
            DataError,
            r"labels\.csv: row 3: no picture 'q01\.png' in .*did you mean",
        ),
        ("file,label\np00,a\np01,b\np00.png,b\n", DataError, r"rows 2 and 4 say different things of 'p00\.png'"),
        (
            "file,label,split\np00,a,train\np01,b,later\n",
            DataError,
            "row 3: 'later' is none of train, validation, test",
        ),
        ("file,label\n,a\np01,b\n", DataError, "row 2: names no file"),
        ("p00.png,a\np01.png,b\n", DataError, "a first line must name the columns"),
        ("file,cat,dog\np00,1,0\np01,1,2\n", ConfigError, "which column has the label"),
        ("file,label\np00,a\np01,b,c,d\n", DataError, "row 3 has 4 cells, the header 2"),
        ("file,label\np00,a\np01,a\n", DataError, "only one class, 'a'"),
        ("file\np00\n", DataError, "expected a header such as file,label"),
        ("weight,height\n1,2\n", ConfigError, "which column has the file"),
    ],
)
def test_what_is_wrong_is_said_with_its_row(folder: Path, table: Any, text: str, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        datasets.load(folder, labels=table(text))


def test_columns_that_there_are_not(folder: Path, table: Any) -> None:
    path = table("file,label\np00,a\np01,b\n")
    with pytest.raises(ConfigError, match="no column 'kind' for label; it has file, label"):
        datasets.load(folder, labels=path, columns={"label": "kind"})
    with pytest.raises(ConfigError, match="labels are for folders"):
        datasets.load("digits", labels=path)
    path.write_bytes("file,label\np00,고양이\n".encode("cp949"))
    with pytest.raises(DataError, match="save it as 'CSV UTF-8'"):
        datasets.load(folder, labels=path)


def labels_of(dataset: datasets.Dataset) -> dict[str, Any]:
    parts = (dataset.train, dataset.test)
    return {name: label.tolist() for part in parts for name, label in zip(part.files or (), part.labels, strict=True)}


def test_a_table_of_mistakes_corrects_what_folders_say(tmp_path: Path) -> None:
    root = write_pets(tmp_path / "pets")
    wrong = tmp_path / "wrong.csv"
    wrong.write_text(
        "picture,is,said,probability\ncat/00.png,dog,dog,0.9\ndog/01.png,,cat,0.8\ncat/02.png,cat,dog,0.7\n"
    )
    dataset = datasets.load(root, labels=wrong)
    labels = labels_of(dataset)
    assert labels["cat/00.png"] == 1 and labels["cat/02.png"] == 0 and "dog/01.png" not in labels
    assert len(labels) == 29 and ("dog/01.png", "has no label in wrong.csv") in dataset.skipped
    assert "wrong.csv: 1 labels corrected, 1 pictures taken out" in dataset.facts
    wrong.write_text("picture,is,said\ncat/00.png,dgo,dog\n")
    with pytest.raises(DataError, match="row 2: 'dgo' is no class; did you mean 'dog'"):
        datasets.load(root, labels=wrong)


def test_one_table_corrects_another(folder: Path, table: Any, tmp_path: Path) -> None:
    first = table("file,labels\n" + rows(lambda n: ["", "cat", "cat|dog"][n % 3]))
    other = tmp_path / "corrected.csv"
    other.write_text("picture,is,said\np01.png,cat|dog,cat\np02.png,,cat\n")
    dataset = datasets.load(folder, labels=[first, other])
    found = labels_of(dataset)
    assert found["p01.png"] == [1, 1] and found["p02.png"] == [0, 0] and found["p05.png"] == [1, 1]


def test_files_of_odd_names_come_back(tmp_path: Path) -> None:
    """What tables of ours put before a name that would be a formula."""
    for name in ("=a.png", "b.png", "c.png", "d.png"):
        write(tmp_path / name, size=(8, 8))
    path = tmp_path / "labels.csv"
    path.write_text("picture,label\n'=a.png,x\nb.png,x\nc.png,y\nd.png,y\n")
    assert len(datasets.load(tmp_path, labels=path).train) == 2


def test_measures_of_labels() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="needs scikit-learn")
    rng = np.random.default_rng(0)
    truth, scores = rng.integers(0, 2, (50, 4)), rng.random((50, 4))
    counts = metrics.label_counts(truth, scores)
    said = scores > 0.5
    np.testing.assert_allclose(metrics.f1_of(counts), sklearn.f1_score(truth, said, average=None))
    np.testing.assert_allclose(counts[0] / counts[1], sklearn.recall_score(truth, said, average=None))
    assert metrics.exact_match(truth, scores) == sklearn.accuracy_score(truth, said)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on 36 pictures with red, green, both or nothing, whose network knows which; two of the 12 judged are wrong.

    Nothing is trained: the network is a mean of each colour and its threshold.
    """
    root = tmp_path_factory.mktemp("several")
    lines = ["file,labels,split"]
    for number in range(36):
        has = {"red": number % 2, "green": number // 2 % 2}
        write(root / f"{number:02}.png", size=(8, 8), colour=(255 * has["red"], 255 * has["green"], number))
        said = "red" if number in (24, 28) else "|".join(name for name in has if has[name])
        lines.append(f"{number:02}.png,{said},{'test' if number > 23 else ''}")
    (root / "labels.csv").write_text("\n".join(lines))
    model = pellucid.Sequential([pellucid.GlobalAvgPool2D(input_shape=(8, 8, 3)), pellucid.Dense(2)])
    model.add(pellucid.Sigmoid())
    model.set_weights([np.array([[0, 20], [20, 0], [0, 0]]), np.full(2, -10)])  # green, red
    return pellucid.train_run(model, labels=root / "labels.csv", epochs=0, out=root / "run", verbose=0).folder


@pytest.mark.parametrize("name", ["simple-convnet", "cifar-net", "squeezenet1_1"])
def test_networks_get_a_sigmoid_for_each_label(name: str) -> None:
    network = with_sigmoid(zoo.build(name, input_shape=(32, 32, 3), classes=3), own=False)
    assert network.graph.last is not None and network.graph.last.nonlinearity is not None
    assert network.graph.last.nonlinearity.kind == "sigmoid"
    other = zoo.build(name, input_shape=(32, 32, 3), classes=3)
    for mine, theirs in zip(network.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_softmax_of_ones_own_is_refused(run: Path) -> None:
    model = pellucid.Sequential([pellucid.Flatten(), pellucid.Dense(2, activation="softmax")])
    with pytest.raises(ConfigError, match='end it in activation="sigmoid"'):
        pellucid.train_run(model, labels=run.parent / "labels.csv", epochs=0, out=run.parent / "other", verbose=0)


def test_a_run_of_several_labels_is_judged_label_by_label(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["exact_match"] == pytest.approx(10 / 12) and found["accuracy"] == pytest.approx(22 / 24)
    red = next(one for one in found["classes"] if one["class"] == "red")
    assert (red["pictures"], red["recall"], red["precision"]) == (8, 0.75, 1.0)
    assert found["classes"][0]["f1"] == 1


@pytest.mark.parametrize("beside", [False, True], ids=["of these pictures", "beside the table"])
def test_a_table_of_several_labels_is_judged_on(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], beside: bool
) -> None:
    """And again by evaluate, which finds it in the run, and when the run goes on."""
    header, *lines = (run.parent / "labels.csv").read_text().splitlines()
    header, lines = header.removesuffix(",split"), [line.rpartition(",")[0] for line in lines]
    held = (tmp_path if beside else run.parent) / "held.csv"
    held.write_text("\n".join([header, *lines[24:]]))
    for line in lines[24:] if beside else ():
        (tmp_path / line[:6]).write_bytes((run.parent / line[:6]).read_bytes())
    (tmp_path / "learned.csv").write_text("\n".join([header, *lines[: 24 if beside else 36]]))
    words = {"data": run.parent, "labels": tmp_path / "learned.csv", "validation": held, "out": tmp_path / "run"}
    pellucid.train_run(pellucid.load(run), **words, epochs=0, verbose=0)  # type: ignore[arg-type]
    for again in (["evaluate", str(tmp_path / "run"), "--json"], ["train", "--resume", str(tmp_path / "run"), "-q"]):
        assert main(again) == 0
        told = capsys.readouterr().out
        assert not told.startswith("{") or json.loads(told)["exact_match"] == pytest.approx(10 / 12)
    assert "91.67 % on 12" in told.replace(", loss", " on 12")
    assert held_name(read_record(tmp_path / "run")) == "validation"


def test_its_answers_are_labels(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.csv"
    pictures = [str(run.parent / f"{number:02}.png") for number in (0, 1, 3)]
    assert main(["predict", str(run), *pictures, "--out", str(out)]) == 0
    answers = {line.split(",")[0][-6:]: line.split(",")[1].strip('"') for line in out.read_text().splitlines()[1:]}
    assert answers["00.png"] == "" and answers["01.png"] == "red"
    assert set(answers["03.png"].split("|")) == {"red", "green"}


def test_its_mistakes_come_back_corrected(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "wrong.csv"
    words = ["show", "mistakes", str(run), "--csv", str(out), "--out", str(tmp_path / "wrong.png")]
    assert main([*words, "--lang", "ko"]) == 0
    assert "24.png: 실제 red, 답 없음 (99.996 %)" in capsys.readouterr().err
    lines = out.read_text().splitlines()
    assert sorted(line.split(",")[0] for line in lines[1:]) == ["24.png", "28.png"]
    out.write_text(
        "\n".join([lines[0], *(",".join([line.split(",")[0], "", *line.split(",")[2:]]) for line in lines[1:])])
    )
    dataset = datasets.load(run.parent, labels=[run.parent / "labels.csv", out])
    assert not dataset.test.labels[[0, 4]].any()
    capsys.readouterr()
    assert main(["show", "confusion", str(run)]) == 0
    assert "several labels a picture" in capsys.readouterr().err


def test_it_is_reported(run: Path, tmp_path: Path) -> None:
    log = run / "log.jsonl"  # as if it had been trained
    log.write_text(log.read_text() + '{"event": "epoch", "epoch": 1, "loss": 0.1, "accuracy": 0.9}\n')
    assert main(["report", str(run), "--lang", "ko", "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "83.33 %에서 레이블을 모두" in page and "오답 가운데 가장 확신한 2개" in page


def test_a_table_is_read_once_for_what_it_says(folder: Path, table: Any) -> None:
    found = read_table(table("file,label,said\np00,a,b\np01,b,a\n"))
    assert found.corrects and not found.several and found.names == ("a", "b")


def parts_of(dataset: datasets.Dataset) -> tuple[set[str], set[str]]:
    """The numbers of the pictures that are learned, and of those that are watched."""
    parts = (dataset.train, dataset.held_out)
    learned, watched = ({Path(name).stem for name in (part and part.files) or ()} for part in parts)
    assert not learned & watched
    return learned, watched


@pytest.mark.parametrize("several", [False, True])
def test_a_table_says_what_is_judged_on(folder: Path, table: Any, tmp_path: Path, several: bool) -> None:
    """Of the same pictures: those are not learned, whatever the other table says; and of pictures beside it."""

    def label(number: int) -> str:
        return ["", "cat", "cat|dog"][number % 3] if several else halves(number)

    held = tmp_path / "held.csv"
    held.write_text("file,label\n" + "".join(f"p{n:02},{label(n)}\n" for n in (3, 4, 5, 11)))
    dataset = datasets.load(folder, labels=table("file,label\n" + rows(label, 6)), validation=held)
    assert parts_of(dataset) == ({"p00", "p01", "p02"}, {"p03", "p04", "p05", "p11"})
    assert not any(name.endswith("p11.png") for name, _ in dataset.skipped)
    assert dataset.held_out is not None and dataset.held_out.several == several
    wanted = [[[0, 0], [1, 0], [1, 1]][n % 3] if several else n % 2 == 0 for n in (11, 3, 4, 5)]
    np.testing.assert_array_equal(dataset.held_out.labels, wanted)

    others = tmp_path / "others"
    for number in range(3):
        write(others / f"q{number}.png", size=(8, 8), colour=(5 * number, 9, 130))
    (others / "own.csv").write_text("file,label\nq0,cat\nq1,dog\nq2,cat\n")  # no picture has several there
    dataset = datasets.load(folder, labels=table("file,label\n" + rows(label, 6)), validation=others / "own.csv")
    assert dataset.held_out is not None and len(dataset.train) == 6
    assert dataset.held_out.files == [str(others / f"q{number}.png") for number in range(3)]
    np.testing.assert_array_equal(dataset.held_out.labels, [[1, 0], [0, 1], [1, 0]] if several else [0, 1, 0])


def test_a_sub_folder_of_labelled_pictures_is_judged_on(folder: Path, table: Any) -> None:
    text = "file,labels\n" + rows(lambda n: ["", "cat", "cat|dog"][n % 3])
    dataset = datasets.load(folder, labels=table(text), validation=folder / "more")
    assert parts_of(dataset)[1] == {"p10", "p11"} and len(dataset.train) == 10


def test_sub_folders_are_learned_and_a_table_judged_on(tmp_path: Path) -> None:
    root = write_pets(tmp_path / "pets")
    held = tmp_path / "held.csv"
    held.write_text("file,label\ncat/00,cat\ncat/01,dog\n")
    dataset = datasets.load(root, validation=held)
    assert len(dataset.train) == 28 and dataset.held_out is not None
    np.testing.assert_array_equal(dataset.held_out.labels, [0, 1])


@pytest.mark.parametrize(
    ("labels", "held", "message"),
    [
        ("file,label\np00,a\np01,b\n", "file,label\np02,a\np03,cow\n", "row 3: 'cow' is no class; known: a, b"),
        ("file,label\np00,a\np01,b\n", "file,label\np02,a|b\n", "row 2: has several labels, and the others one"),
        ("file,label\np00,a\np01,b\n", "file,label\np02,a\np02.png,b\n", "row 3: 'p02.png' has other labels in a row"),
        ("file,label\np00,a\np01,b\n", "file,label\nzz,a\n", "row 2: no picture 'zz' in "),
        ("file,label\np00,a\np01,b\n", "file,label\np00,a\np01,b\n", "are held out, so none are left to learn from"),
        (
            "file,label,split\np00,a,train\np01,b,train\np02,b,val\n",
            "file,label\np03,a\n",
            "has its own validation part",
        ),
    ],
)
def test_what_is_wrong_with_a_table_to_judge_on(
    folder: Path, table: Any, tmp_path: Path, labels: str, held: str, message: str
) -> None:
    (tmp_path / "held.csv").write_text(held)
    with pytest.raises((ConfigError, DataError), match=message):
        datasets.load(folder, labels=table(labels), validation=tmp_path / "held.csv")
