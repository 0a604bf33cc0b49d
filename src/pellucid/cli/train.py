"""`pellucid train`: the command line's words for `train_run` and `resume_run`."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import typer

from pellucid._progress import WorkBar
from pellucid._text import note, say
from pellucid.cli.flags import in_flags
from pellucid.cli.interrupt import Interrupt
from pellucid.cli.labels import columns_of
from pellucid.cli.settings import parse
from pellucid.errors import ConfigError
from pellucid.runs.console import Console, tell_data
from pellucid.runs.folder import ANSWERS_FILE, MODEL_FILE, read_record
from pellucid.runs.pretrained import DEFAULT
from pellucid.runs.resume import resume_run
from pellucid.runs.run import Run, train_run
from pellucid.runs.setup import DATA, FOLDER_MODEL, MODEL, RESIZE
from pellucid.runs.together import begun_before, load_for_all
from pellucid.train.distributed import Processes
from pellucid.train.gloo import join

if TYPE_CHECKING:
    from pellucid.datasets import Dataset
    from pellucid.train import Event, Listener

EXAMPLES = (
    "Example:\n   pellucid train simple-convnet --data mnist --epochs 20 --batch-size 100\n"
    "A folder, a sub-folder a class (cats/, ...) or a table of labels:\n"
    "   pellucid train --data photos/ --pretrained --labels photos/labels.csv\n"
    "Arguments of the optimizer, and of a layer (schedule=cosine is one too):\n"
    "   pellucid train --optimizer sgd --set momentum=0.9 --set conv1.filters=16"
)
app = typer.Typer()
PICTURES, LEARNING, START, SWITCHES = "Pictures", "Learning", "Where to begin", "Switches"
"""The panels of `--help`."""


class Option(NamedTuple):
    """An option: its value's type and name, the help's text and panel ("": the first one), other names than its own."""

    kind: Any
    metavar: str | None
    help: str
    panel: str = PICTURES
    names: tuple[str, ...] = ()


OPTIONS = {
    "data": Option(
        str, "DATA", f"{DATA} (default), mnist, fashion-mnist, cifar10, cifar100, or a folder, a sub-folder a class."
    ),
    "labels": Option(list[Path], "FILE", "A .csv of their labels. Again: corrects them."),
    "columns": Option(str, "ROLE=X", "Its columns: file=id,label=breed,split=set."),
    "validation": Option(str, "PATH|X", "Judged on: a folder, a .csv, or a share: 0.1."),
    "epochs": Option(int, "N", "Passes over the pictures. Default: {epochs}*.", LEARNING),
    "batch_size": Option(int, "N", "Pictures in a step. Default: {batch_size}*.", LEARNING),
    "optimizer": Option(str, "NAME", "{optimizers}. Default: {optimizer}*.", LEARNING),
    "learning_rate": Option(float, "X", "Learning rate. Default: the optimizer's*.", LEARNING, ("--lr",)),
    "loss": Option(str, "NAME", "Default: {loss}*.", LEARNING),
    "settings": Option(
        list[str],
        "KEY=X",
        "Of network, optimizer, loss; LAYER.KEY=X.",
        LEARNING,
        ("--set",),
    ),
    "size": Option(int, "N", "Their side. Default: as they are, 32 to 128."),
    "resize": Option(str, "RULE", f"crop, center, pad or stretch. Default: {RESIZE}."),
    "augment": Option(str, "KINDS", "strong, rotate=15 ... Default: {augment}*."),
    "standardize": Option(
        bool,
        None,
        "Mean 0. Default: no*.",
        SWITCHES,
        ("--standardize/--no-standardize",),
    ),
    "class_weight": Option(str, "balanced", "Rare classes count as much as common ones.", LEARNING),
    "patience": Option(int, "N", "Stop after N epochs without a better one.", LEARNING),
    "weights": Option(Path, "FILE|RUN", "A run, a model file, or of PyTorch or Keras.", START),
    "pretrained": Option(str, "[NETWORK]", f"From ImageNet. Default: {DEFAULT}.", START),
    "fine_tune": Option(int, "N", "Then epochs of all layers. Default: 1 to 5.", START),
    "freeze": Option(list[str], "NAME", "Do not train: features, a layer, or 'conv1*'.", START),
    "exact_convolution": Option(bool, None, "Never Winograd's: slower.", SWITCHES, ("--exact-convolution",)),
    "engine": Option(str, "NAME", "torch: PyTorch computes.", ""),
    "device": Option(str, "NAME", "For it: cpu (default), cuda or mps.", ""),
    "precision": Option(str, "NAME", "float32 (default), bfloat16, float64.", ""),
    "seed": Option(int, "N", "Same seed, same bits. Default: 0.", LEARNING),
    "limit": Option(int, "N", "Train on the first N pictures only."),
    "test_limit": Option(int, "N", "Test on the first N pictures only."),
    "predict": Option(Path, "FOLDER", "What these are, in the end: RUN/answers.csv."),
    "threads": Option(int, "N", "Default: every core this process may use.", ""),
    "shards": Option(int, "N", "Parts of a batch. Default: 1, torchrun: 8.", LEARNING),
    "mixed": Option(bool, None, "Unlike machines together.", SWITCHES, ("--mixed",)),
    "resume": Option(Path, "RUN", "Go on with a stopped run up to --epochs.", START),
    "out": Option(Path, "RUN", "Run folder. Default: runs/MODEL-DATA-NNN.", ""),
    "csv": Option(Path, "FILE", "A table of the epochs there too.", ""),
    "tensorboard": Option(Path, "DIR", "For TensorBoard: DIR/RUN.", ""),
    "mlflow": Option(str, "URI", "To MLflow: http://HOST:PORT, sqlite:///FILE.", ""),
    "lang": Option(str, "en|ko", "Of its pictures. Default: the locale's.", ""),
    "doctor": Option(bool, None, "Say what is wrong.", SWITCHES, ("--doctor/--no-doctor",)),
    "find_lr": Option(bool, None, "Propose --lr.", SWITCHES, ("--find-lr",)),
    "quiet": Option(bool, None, "No progress, only the result.", "", ("--quiet", "-q")),
}
"""What is an argument of `train_run`, under its name and with its default, and what is the command's own."""


WITH_RESUME = (
    *("epochs", "threads", "quiet", "csv", "tensorboard", "mlflow", "lang", "engine", "device", "precision"),
    "mixed",
)
"""What can be given beside --resume."""


class Command(typer.core.TyperCommand):
    """The command, whose help is completed only where it is asked for: the networks are not imported before."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give `--pretrained` an empty value where no network's name follows it."""
        given: list[str] = []
        for place, word in enumerate(args):
            given.append(word)
            if word == "--pretrained" and (place + 1 == len(args) or args[place + 1].startswith("-")):
                given.append("")
        return super().parse_args(ctx, given)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Fill in the networks and optimizers there are, and the usual recipe."""
        from pellucid import optimizers, zoo

        words = {"networks": listed(families(zoo.NAMES)), "optimizers": listed(optimizers.NAMES), **vars(zoo.Recipe())}
        for parameter in self.params:
            option: Any = parameter
            option.help = option.help and option.help.format(**words)
        super().format_help(ctx, formatter)


def listed(names: Sequence[str]) -> str:
    """Names in a row.

    >>> listed(["a", "b", "c"])
    'a, b or c'
    """
    return f"{', '.join(names[:-1])} or {names[-1]}"


def families(names: Iterable[str]) -> list[str]:
    """Names in a row that differ in their last number alone, as one.

    >>> families(["lenet5", "vgg11", "vgg16", "net1_0", "net1_1"])
    ['lenet5', 'vgg11|16', 'net1_0|1_1']
    """
    parts = (re.fullmatch(r"(.*?)([\d_]*)", name) for name in names)
    pairs = [part.groups() for part in parts if part is not None]
    return [stem + "|".join(number for _, number in row) for stem, row in groupby(pairs, itemgetter(0))]


@dataclass
class Spoken:
    """What the screen hears: the doctor in the command line's words, always, and all the rest unless it is quiet."""

    every_batch: ClassVar[bool] = False

    screen: Listener
    quiet: bool

    def __call__(self, event: Event) -> None:
        from pellucid.train import Diagnosed

        if isinstance(event, Diagnosed):
            self.screen(replace(event, text=in_flags(event.text, ("train",))))
        elif not self.quiet:
            self.screen(event)


class CommandConsole(Console):
    """The command's: results on standard output, quiet or not, and a signal that ends the training after a step."""

    def __init__(self, quiet: bool, facts: Mapping[str, Any], lang: str | None) -> None:
        super().__init__(lang=lang)
        self.quiet, self.facts = quiet, facts
        self.interrupt = Interrupt()

    @property
    def stopped(self) -> bool:  # type: ignore[override]
        """Whether a signal came."""
        return self.interrupt.status is not None

    def hush(self) -> None:
        """Quiet, and without results."""
        super().hush()
        self.quiet = True

    def note(self, text: str) -> None:
        """A remark, with arguments as flags."""
        if self.verbose:
            note(in_flags(text, ("train",)))

    def option(self, name: str) -> str:
        """As a flag."""
        return f"--{name}"

    def data(self, dataset: Dataset, *, known: bool = False) -> None:
        """Its classes in any case."""
        if known:
            super().data(dataset, known=True)
        elif self.verbose:
            tell_data(dataset, quiet=self.quiet)

    def bar(self) -> WorkBar:
        """A bar on standard error."""
        return WorkBar(quiet=self.quiet)

    @contextmanager
    def watching(self) -> Iterator[list[Listener]]:
        """The signals, and the screen."""
        from pellucid.train import Progress

        with self.interrupt, Progress(sys.stderr) as progress:
            yield [self.interrupt, Spoken(progress, self.quiet)]


def train(context: typer.Context, **given: Any) -> None:
    """Train a network, and leave a run folder: best and last model, log, curves.

    * unless the network's own recipe says otherwise: pellucid summary MODEL
    """
    from pellucid import ops
    from pellucid.datasets.listing import missing

    taken = ("predict", "threads", "resume", "find_lr", "quiet", "lang")
    predict, threads, resume, find_lr, quiet, lang = (given.pop(name) for name in taken)
    given["pretrained"] = given["pretrained"] if given["pretrained"] != "" else True
    processes = join()
    if predict is not None and not predict.exists():
        raise missing(predict, "file or folder")
    if threads is not None:
        ops.set_num_threads(threads)
    facts: dict[str, Any] = {"command": list(context.obj)}
    console = CommandConsole(quiet, facts, lang)
    begun = begun_before(processes, given["out"], facts) if resume is None else None
    if resume is None and begun is None:
        given |= {"settings": parse(given["settings"] or []), "columns": columns_of(given["columns"])}
        if find_lr:
            _find_learning_rate(given, console)
            return
        facts["predict"] = None if predict is None else str(predict.resolve() if predict.is_dir() else predict)
        run = train_run(**given, console=console)
    else:
        if begun is None:
            _refuse_others(_given(context, "resume", *WITH_RESUME))
        run = resume_run(
            begun or resume, console=console, **{name: given[name] for name in WITH_RESUME if name in given}
        )
    if console.stopped:
        done = f"{len(run.history.epoch)} of {run.config.epochs} epochs"
        console.note(f"interrupted after {done}; go on with: pellucid train --resume {run.folder}")
        raise typer.Exit(console.interrupt.status or 0)
    _answer(run, processes)


def _find_learning_rate(given: dict[str, Any], console: CommandConsole) -> None:
    """Draw a range test, and say the rate that it proposes."""
    from pellucid.cli.drawing import write
    from pellucid.runs.learning_rates import find_learning_rate
    from pellucid.visualise.learning_rates import learning_rates_figure

    out = given.pop("out")
    found = find_learning_rate(**given, console=console)
    write(learning_rates_figure(found, lang=console.lang), out, Path("learning-rates.png"))
    say(f"--lr {found.proposal:g}: a tenth of the rate at which the loss is lowest", prose=True)


def _parameters() -> Iterator[inspect.Parameter]:
    """Those that the parser is to see."""
    yield inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    argument = typer.Argument(
        metavar="MODEL",
        help=f"{{networks}}. Default: {FOLDER_MODEL} for a folder, else {MODEL}.",
        show_default=False,
    )
    arguments = inspect.signature(train_run).parameters
    rows: dict[str, tuple[Any, Any]] = {"model": (str, argument)}
    for name, option in OPTIONS.items():
        names = option.names or (f"--{name.replace('_', '-')}",)
        made = typer.Option(
            *names, metavar=option.metavar, help=option.help, rich_help_panel=option.panel or None, show_default=False
        )
        rows[name] = option.kind, made
    for name, (kind, declared) in rows.items():
        default = arguments[name].default if name in arguments else False if kind is bool else None
        wanted = kind | None if default is None else kind
        yield inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[wanted, declared]
        )


train.__signature__ = inspect.Signature(list(_parameters()))  # type: ignore[attr-defined]
app.command("train", cls=Command, epilog=EXAMPLES)(train)


def _given(context: typer.Context, *besides: str) -> list[str]:
    """The arguments that the command line gave, as it names them, besides these."""
    chosen = [
        parameter
        for parameter in context.command.params
        if parameter.name not in besides
        and parameter.name is not None
        and (source := context.get_parameter_source(parameter.name)) is not None
        and source.name == "COMMANDLINE"
    ]
    return [parameter.opts[0] if parameter.param_type_name == "option" else "MODEL" for parameter in chosen]


def _refuse_others(given: Sequence[str]) -> None:
    """Errors: ConfigError if --resume came with what the run has decided already."""
    if given:
        raise ConfigError(
            f"--resume: the run's own settings are used; leave {', '.join(given)} out "
            f"({', '.join(f'--{name}' for name in WITH_RESUME[:-1])} and --{WITH_RESUME[-1]} can be given with it)"
        )


def _answer(run: Run, processes: Processes) -> None:
    """Answer for the pictures that were asked for, or say how those without labels are answered for."""
    from pellucid.cli.judge import answer

    folder = run.place
    asked = "" if processes.rank else read_record(folder).get("predict") or ""
    asked = os.fsdecode(processes.share(os.fsencode(asked)))
    if asked:
        model = load_for_all(processes, folder / MODEL_FILE)
        answer(folder, [Path(asked)], out=folder / ANSWERS_FILE, model=model)
        return
    for place, _ in run.dataset.unlabelled if processes.rank == 0 else ():
        say(f"next: pellucid predict {shlex.quote(str(folder))} {shlex.quote(place)} --out answers.csv")
