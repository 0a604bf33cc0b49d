"""Training and judging a network, with Keras's habits: from arrays, and from batches that somebody else makes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid._arguments import flag, path_of, verbosity
from pellucid._display import in_notebook, live_curve
from pellucid._progress import work_bar
from pellucid._text import say
from pellucid.datasets.augmentation import Augmentation, text_of
from pellucid.engines import words
from pellucid.errors import ConfigError, shown
from pellucid.model.background import facts_of_pictures
from pellucid.model.inputs import check_range, make_examples, validation_of
from pellucid.model.network import Network
from pellucid.model.streams import is_stream, stream_of
from pellucid.ops import Array
from pellucid.ops.geometry import whole
from pellucid.train import (
    Evaluation,
    Examples,
    History,
    Listener,
    Progress,
    TrainConfig,
    Trainer,
    evaluate,
    named,
    standardize_listeners,
)
from pellucid.train.callbacks import BackupAndRestore
from pellucid.train.config import MAX_EPOCHS
from pellucid.train.doctor import Doctor
from pellucid.train.gloo import each_by_itself, join
from pellucid.train.joined import agree_on, agree_on_call, go_on, locked, usual_shards
from pellucid.train.streaming import Stream


class Fitting(Network):
    """A network that is trained by `fit` and judged by `evaluate`."""

    if TYPE_CHECKING:  # what a trainer asks of it besides, of `Model`

        def save(self, path: Any) -> None: ...
        def facts(self) -> dict[str, Any]: ...

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = 32,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Listener | Sequence[Listener] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | str | None = None,
        sample_weight: Any = None,
        cache_features: bool = True,
        doctor: bool = True,
        resume: str | Path | None = None,
        augment: str | Mapping[str, Any] | Callable[..., Any] | None = None,
        *,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        engine: str | None = None,
        device: str | None = None,
        precision: str | None = None,
        shards: int | None = None,
    ) -> History:
        """Train on pictures x with labels y; returns one number an epoch of everything measured, under Keras's names.

        Shapes: x (M, H, W, C); y (M,) or (M, 1) class numbers or words, or (M, classes); sample_weight (M,).
        x may also be batches (x, y) or (x, y, sample_weight), none larger than the first two: a generator, an object of
        numbered batches, or anything that is gone through; validation_data likewise. Then batch_size and y have no
        meaning, augment is refused, and the doctor, who reads all pictures first, is silent. With resume, numbered
        batches go on where they were; what is gone through begins its epoch anew, and a generator goes on as it stands.
        steps_per_epoch, validation_steps: how many batches an epoch has, which a generator must be told.
        initial_epoch: the number of the first epoch, epochs that of the one after the last. validation_freq: after how
        many epochs each held-out pictures are judged.
        verbose: 0 for silence, 1 or "auto" for a bar (plain lines where the output is no terminal), 2 for plain lines.
        validation_split: a stratified, seeded part of the pictures (Keras takes the last ones), held out.
        cache_features: where the first layers are frozen, compute their outputs once and not in every epoch: the same
        numbers, in up to 1 GiB of memory and beyond that a file that goes with the end of `fit`.
        doctor: say, in a line each with the remedy, what keeps a network from learning (see `train.doctor`); what was
        said is in the history's `advice`. It changes no number.
        resume: a folder for checkpoints. Where it holds one of this same training, training goes on from there, to the
        same bits as if it had never stopped; so a program that was stopped is simply run again.
        augment: changes the pictures anew in each epoch: "standard", "strong", kinds with their amounts such as
        "flip,rotate=15" or {"flip": 0.5, "rotate": 15} (see `datasets.augmentation`), or a function of a batch's
        pictures and a NumPy generator that gives as many pictures.
        engine: "torch" lets PyTorch compute the steps and judge, on device "cpu", "cuda" or "mps", in precision
        "float32", "bfloat16" or "float64"; the model is the same as ever.
        shards: logical parts of each batch, which the processes that torchrun starts share, if it has started this
        program: each then calls `fit` alike, and rank 0 alone speaks, keeps checkpoints and has the callbacks that
        write. None: 8 under torchrun, else 1. See docs/many.md.
        Errors: DataError for labels that do not fit the pictures or the classes; DivergedError for a loss that is no
        number.
        """
        self._compiled()
        listeners, processes = standardize_listeners(callbacks), join()
        verbose = 0 if processes.rank else verbosity(verbose)
        watched = flag(doctor, "doctor") and not processes.rank
        folder = None if resume is None else path_of(resume, "resume")
        backups = [one for one in listeners if isinstance(one, BackupAndRestore)]
        if backups and folder is None:
            folder = backups[0].folder
        first_epoch = whole(initial_epoch, "initial_epoch", MAX_EPOCHS, least=0)
        every = whole(validation_freq, "validation_freq", MAX_EPOCHS)
        config = TrainConfig(
            epochs,
            32 if batch_size is None else batch_size,
            shuffle=flag(shuffle, "shuffle"),
            seed=self.seed,
            augment=text_of(augment),
            cache_features=flag(cache_features, "cache_features") and not any(map(is_stream, (x, validation_data))),
            **words(engine, device, precision),
            shards=usual_shards(engine) if shards is None else shards,
        )
        own = augment is None or (callable(augment) and not isinstance(augment, type))
        change = augment if own else Augmentation.of(augment)
        examples, held = self._examples(
            x, y, sample_weight, validation_data, steps_per_epoch, validation_steps, class_weight,
            validation_split=validation_split, shuffle=config.shuffle,
        )  # fmt: skip
        if isinstance(examples, Stream) and augment is not None:
            raise ConfigError(
                "fit: augment needs pictures as arrays, x are batches that come one by one; change them where they are "
                "made, or put layers such as RandomFlip into the model"
            )
        for name, fact in facts_of_pictures(examples.images).items():
            self.trained_on.setdefault(name, fact)
        if verbose:
            live = verbose != 2 and in_notebook()
            listeners.append(live_curve() if live else Progress(sys.stdout, bar=verbose != 2))
        watched = watched and not isinstance(examples, Stream) and not isinstance(held, Stream)
        watching = Doctor(self, examples, held, shuffled=config.shuffle, tell=tuple(listeners)) if watched else None
        try:
            with nullcontext() if folder is None else locked(folder, processes) as kept:
                agree_on(processes, self, (examples, held), config)
                trainer = Trainer(
                    self,
                    examples,
                    config,
                    validation=held,
                    augment=change,
                    listeners=[*([watching] if watching else []), *listeners],
                    checkpoints=kept,
                    first_epoch=first_epoch,
                    validation_freq=every,
                    processes=processes,
                )
                if folder is not None:
                    go_on(trainer, kept, processes)
                with each_by_itself():
                    history = trainer.run()
            history.params = {"verbose": verbose, "epochs": config.epochs, "steps": trainer.num_steps}
            history.model = self
            history.advice = [said.text for said in watching.findings] if watching else []
            for backup in backups if processes.rank == 0 else ():
                backup.done()
            return history
        finally:
            for listener in listeners:
                if isinstance(listener, Progress):
                    listener.close()

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = 32,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        *,
        progress: Callable[[int, int, str], None] | None = None,
        outputs: Callable[[Array], object] | None = None,
        on_batch: Callable[[dict[str, float]], object] | None = None,
    ) -> Evaluation:
        """Mean loss and accuracy, or what `compile` was asked to measure, over pictures x with labels y.

        x may also be batches, as in `fit`, of which `steps` are taken.
        verbose: 0 for silence, else the result is printed; while it takes longer than a second, "auto" has a bar on a
        terminal, 1 plain lines elsewhere too. progress: called as progress(done, total, what), instead of that bar.
        outputs: called with those of each batch, in order, before the activation that the loss applies itself (the
        final softmax or sigmoid); the next batch overwrites them. on_batch: called then with the means so far.
        Processes that torchrun has started share the batches, as in `fit`; with the same result in each. Where batches
        come one by one, and where metrics besides the accuracy are measured, each judges all.
        """
        self._compiled()
        count = 32 if batch_size is None else whole(batch_size, "evaluate: batch_size")
        verbose = verbosity(verbose)
        for what, given, of in (
            ("progress", progress, "done, total, what"),
            ("outputs", outputs, "outputs"),
            ("on_batch", on_batch, "logs"),
        ):
            if given is not None and (not callable(given) or isinstance(given, type)):
                raise ConfigError(f"evaluate: {what} must be a function ({of}), got {shown(given)}")
        examples: Examples
        if y is None and is_stream(x):
            examples = stream_of(self, x, steps, "evaluate")
        else:
            examples, _ = make_examples(self, x, y, None, sample_weight, training=False)
        check_range(examples.images, self.trained_on, self.name)
        total, seen = len(examples), 0
        processes = agree_on_call("evaluate", self.parameters, examples.fingerprint, count)
        verbose = 0 if processes.rank else verbose
        with work_bar(0 if progress else verbose) as bar:
            show = progress or bar

            def tell(done: int, logs: dict[str, float]) -> None:
                nonlocal seen
                seen = done
                if on_batch is not None:
                    on_batch(logs)
                show(done, total, "judging pictures")

            logs = evaluate(self, examples, count, tell=tell, outputs=outputs, processes=processes)
        result = Evaluation(named(logs, self.metric_names))
        if verbose:
            say(f"{seen:,} pictures: {result}")
        return result

    def _examples(
        self,
        x: Any,
        y: Any,
        sample_weight: Any,
        validation_data: Any,
        steps: int | None,
        validation_steps: int | None,
        class_weight: Any,
        *,
        validation_split: float,
        shuffle: bool,
    ) -> tuple[Examples, Examples | None]:
        """What is trained on and what is held out, each as arrays or as a stream."""
        held_stream = is_stream(validation_data) and not isinstance(validation_data, tuple)
        if y is None and is_stream(x):
            examples: Examples = stream_of(self, x, steps, "fit", class_weight, shuffle=shuffle)
            held = None if validation_data is None or held_stream else validation_of(self, validation_data)
        else:
            if steps is not None:
                raise ConfigError("fit: steps_per_epoch is of batches; arrays are gone through whole in every epoch")
            examples, held = make_examples(
                self, x, y, class_weight, sample_weight, validation_split=validation_split,
                validation_data=None if held_stream else validation_data,
            )  # fmt: skip
        if held_stream:
            held = stream_of(self, validation_data, validation_steps, "validation_data")
        return examples, held
