"""How a picture is registered: once, beside its numbers and its drawing.

`@Picture(NAME, ...)` stands over a function of a Source and of the picture's own options. `pellucid show NAME`, its
help, what --csv and --json give instead, and the report's section are made of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pellucid.datasets import Dataset
from pellucid.datasets.download import Progress
from pellucid.datasets.listing import missing
from pellucid.datasets.pictures import read_picture
from pellucid.errors import DataError
from pellucid.files.inside import Inside, Place
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.visualise.answers import class_names, per_pixel, probabilities, several_labels, trained_note
from pellucid.visualise.drawing.labels import KOREAN, Labels

if TYPE_CHECKING:
    from pellucid.visualise.curves import Log
    from pellucid.visualise.histograms.data import Snapshots


@dataclass(frozen=True)
class Option:
    """An option on the command line: its flag, what stands for its value, what it is for, and how far it goes."""

    flag: str
    metavar: str | None
    help: str
    least: float | None = None
    most: float | None = None
    check: Callable[[Any], Any] | None = None
    """Called with what was given, before any work is done."""


@dataclass(frozen=True)
class Argument:
    """What a picture is of, on the command line. weights: a network by name is drawn with weights, see --weights."""

    metavar: str
    help: str
    optional: bool = False
    several: bool = False
    weights: bool = False


def one_picture(image: Path | None) -> Path | None:
    """A file that is there, before anything is loaded. Errors: DataError, with what lies nearby."""
    if image is not None and image.is_dir():
        raise DataError(f"--image {image}: is a folder; name one picture in it")
    if image is not None and not image.exists():
        raise missing(image, "picture for --image")
    return image


NETWORK = Argument("RUN|MODEL", "A run folder, a model file, or the name of a network.", weights=True)
ImageFile = Annotated[
    Path | None,
    Option("--image", "FILE", "A picture. Default: the first test picture of the run's data.", check=one_picture),
]
DATA_OF_RUN = "Default: the pictures that the run held out"
JudgedData = Annotated[str | None, Option("--data", "NAME|FOLDER", f"{DATA_OF_RUN}.")]
Inverted = Annotated[bool, Option("--invert", None, "Swap black and white in it first.")]
LayerName = Annotated[str | None, Option("--layer", "NAME", "A layer, as `pellucid summary` says.")]
Frames = Annotated[int | None, Option("--frames", "N", "At most so many frames. Default: 100.", 1, 600)]
Scale = Annotated[float, Option("--scale", "X", "How much larger: 2 for a projector.", 0.25, 4)]
Fps = Annotated[float | None, Option("--fps", "X", "Frames a second.", 0.1, 50)]


class Source:
    """A run, a model file or a network by name; a picture reads of it what it needs, and no more.

    Who draws gives the source that it has: the command line reads files, a report has answers already.
    what: as it was named. lang: of all words. invert: swap black and white in a picture of one's own.
    """

    def __init__(self, what: str = "", lang: str | None = None, *, invert: bool = False) -> None:
        self.what, self.lang, self.say, self.invert = what, lang, Labels(lang), invert

    @property
    def model(self) -> Model:
        """The network: a run's best epoch."""
        raise NotImplementedError

    def held_out(self, data: str | None = None) -> Dataset:
        """The pictures it is judged on: `data`, or else those that its run held out."""
        raise NotImplementedError

    def picture(self, image: Path | None = None) -> tuple[Array, str]:
        """One picture at the network's size, and what it is called. Shapes: (H, W, C)."""
        raise NotImplementedError

    def read(self, image: Path, size: tuple[int, int], channels: int, fit: str) -> Array:
        """A picture of one's own. Shapes: (H, W, channels) uint8. Errors: DataError for a file that is none."""
        pixels = read_picture(image, size, channels, fit)
        return 255 - pixels if self.invert else pixels

    def pictures(self, data: str | None = None) -> Any:
        """Pictures to search, of any class: a folder's, or those it is judged on. Shapes: (N, H, W, C), by slices."""
        return self.held_out(data).test.images

    @property
    def place(self) -> Inside:
        """The folder that it is or lies in."""
        raise NotImplementedError

    @property
    def folder(self) -> Inside | None:
        """The same if it is a run's; None for a model file alone and for a network by name."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """What pictures of the run are called."""
        raise NotImplementedError

    def record(self) -> Mapping[str, Any]:
        """What made the run, its run.json; empty without one."""
        raise NotImplementedError

    def log(self) -> Log:
        """Its epochs."""
        raise NotImplementedError

    def before_training(self) -> Array | None:
        """The first convolution's kernel as training found it, where the run kept it."""
        raise NotImplementedError

    def snapshots(self) -> Snapshots:
        """Histograms over the epochs."""
        raise NotImplementedError

    def working(self, what: str = "") -> AbstractContextManager[Progress | None]:
        """Long work within, which may be shown; it may count itself."""
        return nullcontext()

    def note(self, text: str) -> None:
        """A remark beside the picture."""

    def judged(self, data: str | None = None) -> Judged:
        """The network's answers for the pictures it is judged on."""
        model = self.model
        with self.working() as progress:
            dataset = self.held_out(data)
            answers = probabilities(model, dataset.test.images, progress=progress)
        title = self.say("{model} on {data}", model=model.name, data=dataset.name) + trained_note(model, self.say)
        return Judged(model, dataset, answers, title, self.what, self.lang)


@dataclass(frozen=True)
class Judged:
    """A network's answers for the pictures it is judged on. Shapes: answers (N, classes), probabilities."""

    model: Model
    data: Dataset
    answers: Array
    title: str = ""
    what: str = ""
    lang: str | None = None

    @property
    def say(self) -> Labels:
        """In the language of all words."""
        return Labels(self.lang)

    @property
    def labels(self) -> Array:
        """The classes that the pictures show. Shapes: (N,), or (N, classes) of 0 and 1 where one may show several."""
        return self.data.test.labels

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes; their numbers where they have none."""
        return class_names(self.model, self.answers.shape[1])


@dataclass(frozen=True)
class Table:
    """The numbers behind a figure, for --csv and --json.

    said: of the file written, with {count} and {file}. records: what JSON has; None for an object of each row.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    said: str
    records: Any = None


@dataclass(frozen=True)
class Shown:
    """What a picture shows.

    draw: makes the figure, or the Animation; None for nothing to draw. file: its name without the ending, by default
    beside the run; a place is taken as it is. table: the numbers behind it. records: printed as JSON in its stead.
    text: printed in its stead, given whether only ASCII can be. svg: an SVG of its own. scale: of a moving picture.
    notes: said beside it.
    """

    draw: Callable[[], Any] | None = None
    file: str | Place = ""
    table: Table | None = None
    records: Any = None
    text: Callable[[bool], str] | None = None
    svg: Callable[[], str] | None = None
    scale: float = 1.0
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Picture:
    """A picture that can be asked for by name, over the function that makes it: see the module's first lines.

    make: `make(source, **options)`; its options are its parameters, each an Annotated with an Option, its help is its
    docstring. judges: it takes Judged for a source, of the pictures that --data names; several: also where they
    may have several labels each. tables: whether it has --csv and --json. moving: a GIF. one_answer: it is about one
    answer for a picture, as one that judges is anyway. caption: in the report, in English and Korean; None for none
    there. words: Korean by English, of what is written in it.
    """

    name: str
    examples: str
    takes: Argument = NETWORK
    judges: bool = False
    several: bool = False
    tables: bool = False
    moving: bool = False
    one_answer: bool = False
    caption: tuple[str, str] | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    make: Callable[..., Shown] = lambda source: Shown()

    def __call__(self, make: Callable[..., Shown]) -> Picture:
        """The same, made by this function."""
        KOREAN.update(self.words)
        return replace(self, make=make)

    def of(self, source: Source, **options: Any) -> Shown:
        """What it shows of a source; a word where it means nothing for one that gives a class for each pixel."""
        if (self.judges or self.one_answer) and per_pixel(source.model):
            words = "{run}: gives a class for each pixel, so {picture} has nothing to show; see pellucid show masks"
            return Shown(notes=[source.say(words, run=source.what, picture=self.name)])
        if self.judges and not self.several and several_labels(source.model):
            words = "{run}: gives several labels a picture, so {picture} has nothing to show; see pellucid evaluate"
            return Shown(notes=[source.say(words, run=source.what, picture=self.name)])
        return self.make(source.judged(options.pop("data", None)) if self.judges else source, **options)

    def figure(self, source: Source, **options: Any) -> Any:
        """The figure, or the Animation; None for nothing to draw."""
        draw = self.of(source, **options).draw
        return None if draw is None else draw()
