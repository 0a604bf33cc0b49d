"""A search for settings: many short runs, each with what the ones before let hope for, by Optuna."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pellucid._arguments import path_of
from pellucid._display import Brief
from pellucid._modules import optional, refused
from pellucid._numbers import percent
from pellucid.datasets.download import alone
from pellucid.errors import ConfigError, PellucidError, shown
from pellucid.files.atomic import make_folder
from pellucid.ops.geometry import whole
from pellucid.runs.console import Console
from pellucid.runs.run import train_run
from pellucid.runs.setup import DATA

if TYPE_CHECKING:
    from pellucid.train import Event, Listener, Stop

STUDY_FILE, STUDY, LOCK_FILE = "study.log", "pellucid", ".lock"
"""Optuna's journal in the folder of a search, which goes on with it; and what keeps other searches out."""

SPACE = {
    "learning_rate": "1e-4..1e-1",
    "batch_size": "16|32|64|128",
    "optimizer": "adam|adamw|sgd",
    "weight_decay": "1e-6..1e-2",
    "augment": "none|standard|strong",
}
"""What is searched where nothing else is said; a range whose ends lie far apart is gone through in its logarithm."""

WITH_SGD = {"momentum": 0.9, "nesterov": True}
"""Which nobody trains without."""

HELD_OUT = 0.2
"""Of the training pictures, by which trials are judged where none are named: the test pictures stay unseen."""


@dataclass(frozen=True)
class Choice:
    """What a setting may be: one of `options`, or from `low` to `high`."""

    options: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    logarithmic: bool = False

    @classmethod
    def of(cls, name: str, text: str) -> Choice:
        """From text: "1e-4..1e-1", "16..64", "adam|sgd", or a single value.

        >>> Choice.of("dropout", "0.1..0.5"), Choice.of("filters", "[8, 16]|[16, 32]").options
        (Choice(options=(), low=0.1, high=0.5, logarithmic=False), ([8, 16], [16, 32]))

        Errors: ConfigError for ends that are no numbers, or in the wrong order.
        """
        if ".." not in text:
            return cls(tuple(_value(one.strip()) for one in text.split("|")))
        ends = [_value(end.strip()) for end in text.split("..", 1)]
        if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends) or ends[0] >= ends[1]:
            raise ConfigError(f"{name}={shown(text)}: a range is as 1e-4..1e-1, the smaller number first")
        return cls(low=ends[0], high=ends[1], logarithmic=ends[0] > 0 and ends[1] / ends[0] >= 50)

    def suggest(self, trial: Any, name: str) -> Any:
        """What a trial takes. Optuna wants plain options: lists go by their place."""
        if self.options:
            plain = all(isinstance(one, str | int | float | bool | None) for one in self.options)
            named = self.options if plain else tuple(map(str, self.options))
            return self.options[named.index(trial.suggest_categorical(name, named))]
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.logarithmic)
        return trial.suggest_float(name, self.low, self.high, log=self.logarithmic)


@dataclass(frozen=True, repr=False)
class Tuned(Brief):
    """What a search came to. best: settings of the best trial. importance: the share of each setting in what differs.

    trials: of each the settings, the result (None: it failed, or was stopped early) and the folder of its run.
    interrupted: whether there are fewer than were asked for.
    """

    folder: Path
    best: Mapping[str, Any]
    value: float
    trials: Sequence[Mapping[str, Any]]
    importance: Mapping[str, float] = field(default_factory=dict)
    interrupted: bool = False


@dataclass
class _Judging:
    """Reports each epoch's result, and stops a trial that is worse than half of those before it were then."""

    every_batch: ClassVar[bool] = False

    trial: Any
    best: float | None = None
    pruned: bool = False

    def __call__(self, event: Event) -> Stop | None:
        from pellucid.runs.comparing import ORDER_OF
        from pellucid.train import EpochEnded, Stop

        if not isinstance(event, EpochEnded):
            return None
        value = next(event.logs[name] for name in ORDER_OF if name in event.logs)
        self.best = value if self.best is None else max(value, self.best)
        self.trial.report(value, event.epoch)
        self.pruned = bool(self.trial.should_prune())
        return Stop("worse than most trials") if self.pruned else None


class _TrialConsole(Console):
    """Says nothing; draws and judges nothing on test pictures."""

    stopped = True

    def __init__(self, listeners: Sequence[Listener]) -> None:
        super().__init__(0, list(listeners))

    @contextlib.contextmanager
    def watching(self) -> Iterator[list[Listener]]:
        """The listeners alone."""
        yield list(self._callbacks)


def tune(
    model: str | None = None,
    data: str | Path = DATA,
    *,
    out: str | Path,
    trials: int = 20,
    epochs: int = 10,
    space: Mapping[str, str] | None = None,
    seed: int = 0,
    validation: str | Path | float | None = None,
    console: Console | None = None,
    listeners: Sequence[Listener] = (),
    **arguments: Any,
) -> Tuned:
    """Train `trials` runs of `epochs` epochs each with settings from a space, and say which was best and what mattered.

    out: the folder of the search; one that holds a search goes on with it, up to `trials` in all. space: "LOW..HIGH",
    "A|B|C" or one value for any argument of `train_run` and any of its settings, in place of SPACE's; "" leaves one
    out. validation: what trials are judged by; None: the folder's own validation part, or else a fifth of the training
    pictures. arguments: the others of `train_run`.
    Trials that go badly are stopped early (median pruning).
    Errors: ConfigError where Optuna is not installed, and for a space that cannot be read; as `train_run`.
    Source: Akiba et al. 2019; Bergstra et al. 2011 (the tree-structured Parzen estimator).
    """
    wrong = refused(train_run, "tune", (), arguments)
    if wrong is not None:
        raise wrong
    optuna = optional("optuna", "tune", "tune")
    console, folder = console or Console(), path_of(out, "out")
    whole(trials, "trials")
    texts = {name: text for name, text in {**SPACE, **(space or {})}.items() if text != ""}
    choices = {name: Choice.of(name, str(text)) for name, text in texts.items()}
    make_folder(folder)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(folder / STUDY_FILE)))
    study = optuna.create_study(
        storage=storage,
        study_name=STUDY,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(epochs // 4, 1)),
    )
    validation, of_trials = _held_out(data, arguments) if validation is None else validation, seed

    def objective(trial: Any) -> float:
        chosen = {name: choice.suggest(trial, name) for name, choice in choices.items()}
        judging = _Judging(trial)
        try:
            train_run(
                model,
                data,
                **{**arguments, **as_arguments(chosen)},
                validation=validation,
                epochs=epochs,
                seed=of_trials,
                out=folder / _name(trial),
                doctor=False,
                console=_TrialConsole([judging, *listeners]),
            )
        except ArithmeticError as error:  # it diverged: a result like any other
            raise optuna.TrialPruned(str(error)) from error
        if judging.pruned or judging.best is None:
            raise optuna.TrialPruned
        return judging.best

    def say(study: Any, trial: Any) -> None:
        found = percent(trial.value) if trial.value is not None else "stopped early"
        words = ", ".join(f"{name}={_short(value)}" for name, value in trial.params.items())
        console.say(f"{_name(trial)} ({len(_done(study))}/{trials}): {found}  {words}")

    with alone(folder / LOCK_FILE, lambda: console.note(f"{folder}: waiting for another search there")):
        seed += len(study.trials)
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(5, trials // 4))
        for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):  # of a killed search
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            study.enqueue_trial(trial.params)
        before, interrupted = len(_done(study)), False
        if before:
            console.say(f"{folder}: goes on after {before} trials")
        try:
            study.optimize(objective, n_trials=max(trials - before, 0), callbacks=[say])
        except KeyboardInterrupt:
            if not _done(study):
                raise
            console.note(f"{folder}: interrupted after {len(_done(study))} of {trials} trials; the same again goes on")
            interrupted = True
    return _tuned(optuna, study, folder, interrupted)


def _done(study: Any) -> list[Any]:
    """The trials that came to a result, or were stopped as they went badly; not those that were interrupted."""
    return [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]


def _name(trial: Any) -> str:
    return f"trial-{trial.number + 1:03d}"


def _held_out(data: str | Path, arguments: Mapping[str, Any]) -> float | None:
    """The share of training pictures that trials are judged by; None where the data have their own for that."""
    from pellucid.datasets.folder import has_validation
    from pellucid.datasets.sources import is_folder
    from pellucid.datasets.tables import read_table
    from pellucid.runs.run import tables_of

    tables, place = tables_of(arguments.get("labels"), data)
    root = Path(place)
    if is_folder(place) and has_validation(root, [read_table(table, arguments.get("columns")) for table in tables]):
        return None
    return HELD_OUT


def as_arguments(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's settings as arguments of `train_run`: its own under their names, all others in `settings`."""
    import inspect

    known = inspect.signature(train_run).parameters
    own = {name: value for name, value in chosen.items() if name in known}
    settings = {name: value for name, value in chosen.items() if name not in known}
    usual = WITH_SGD if chosen.get("optimizer") == "sgd" else {}
    return {**own, "settings": {**usual, **settings}}


def _tuned(optuna: Any, study: Any, folder: Path, interrupted: bool) -> Tuned:
    done = [trial for trial in study.trials if trial.value is not None]
    if not done:
        raise ConfigError(f"{folder}: no trial came to its end; raise epochs, or look at the log of one of them")
    importance: dict[str, float] = {}
    if len(done) > 3:
        with contextlib.suppress(RuntimeError, ValueError, PellucidError):  # all results alike
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            importance = dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
    trials = [{"run": _name(trial), "value": trial.value, "settings": dict(trial.params)} for trial in _done(study)]
    return Tuned(folder, dict(study.best_trial.params), float(study.best_value), trials, importance, interrupted)


def _value(text: str) -> Any:
    """A number, a list or True as JSON has them; else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
