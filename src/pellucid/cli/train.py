"""`pellucid train`: data, a network and settings become a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pellucid._progress import WorkBar
from pellucid._text import say
from pellucid.cli.data_notes import tell_data
from pellucid.cli.resume import refuse_others
from pellucid.cli.resume import resume as resume_run
from pellucid.cli.run import CHECKPOINTS, check_unused, make_run_folder
from pellucid.cli.settings import parse
from pellucid.cli.train_report import record
from pellucid.cli.train_run import train_in
from pellucid.cli.train_setup import (
    DATA,
    FOLDER_MODEL,
    MODEL,
    RESIZE,
    absolute,
    build,
    fit_schedule,
    load_data,
    naming,
    prepare,
    settle,
    standardized,
)
from pellucid.cli.weights import begin_from, load_weights

EXAMPLES = (
    "Example:\n   pellucid train simple-convnet --data mnist --epochs 20 --batch-size 100\n\n"
    "A folder with one sub-folder a class (cats/, dogs/, ...):\n   pellucid train --data photos/\n\n"
    "Arguments of the optimizer, the network, a layer, and a schedule:\n"
    "   pellucid train --optimizer sgd --set momentum=0.9 --set hidden_size=50\n"
    "   pellucid train --set conv1.filters=16 --set schedule=cosine\n\n"
    "A trained network's features for other classes; a run that was stopped:\n"
    "   pellucid train --weights runs/first --freeze features --data photos/\n"
    "   pellucid train --resume runs/first --epochs 30"
)
PICTURES, LEARNING, START, SWITCHES = "Pictures", "Learning", "Where to begin", "Switches"
"""The panels of `--help`."""


class Command(typer.core.TyperCommand):
    """The command, whose help is completed only where it is asked for: the networks are not imported before."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Fill in the networks there are, and the usual recipe."""
        from pellucid import zoo

        names, usual = f"{', '.join(zoo.NAMES[:-1])} or {zoo.NAMES[-1]}", vars(zoo.Recipe())
        for parameter in self.params:
            told: Any = parameter
            told.help = told.help and told.help.format(networks=names, **usual)
        super().format_help(ctx, formatter)


def train(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help=f"{{networks}}. Default: {FOLDER_MODEL} for a folder, else {MODEL}.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA",
            show_default=False,
            rich_help_panel=PICTURES,
            help=f"{DATA} (default), mnist, fashion-mnist, cifar10, or a folder, a sub-folder a class.",
        ),
    ] = DATA,
    validation: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|X",
            rich_help_panel=PICTURES,
            help="Judged on: a folder, or a share such as 0.1.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", rich_help_panel=LEARNING, help="Passes over the pictures. Default: {epochs}*."),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", rich_help_panel=LEARNING, help="Pictures in a step. Default: {batch_size}*."),
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=LEARNING,
            help="adam, adamw, sgd, momentum, nesterov, adagrad, rmsprop or adadelta. Default: {optimizer}*.",
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(metavar="X", rich_help_panel=LEARNING, help="Learning rate. Default: the optimizer's*."),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(metavar="NAME", rich_help_panel=LEARNING, help="mse, mae ... Default: {loss}*."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=X",
            rich_help_panel=LEARNING,
            help="An argument of network, optimizer or loss, or one of a layer: LAYER.KEY=X. Repeatable.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            rich_help_panel=PICTURES,
            help="Their side. Default: as they are, 32 to 128.",
        ),
    ] = None,
    resize: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            rich_help_panel=PICTURES,
            help=f"crop, center, pad or stretch. Default: {RESIZE}.",
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            rich_help_panel=PICTURES,
            help="standard: shifted, mirrored. Default: {augment}*.",
        ),
    ] = None,
    standardize: Annotated[
        bool | None,
        typer.Option(
            "--standardize/--no-standardize",
            rich_help_panel=SWITCHES,
            help="To mean 0, deviation 1. Default: no*.",
        ),
    ] = None,
    class_weight: Annotated[
        str | None,
        typer.Option(metavar="balanced", rich_help_panel=LEARNING, help="Rare classes count as much as common ones."),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(metavar="N", rich_help_panel=LEARNING, help="Stop after N epochs without a better one."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|RUN",
            rich_help_panel=START,
            help="A trained network: a run, a model file, or with MODEL a file of PyTorch's or Keras's.",
        ),
    ] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            rich_help_panel=START,
            help="Do not train: features, a layer, or 'conv1*'.",
        ),
    ] = None,
    exact_convolution: Annotated[
        bool,
        typer.Option(
            "--exact-convolution",
            rich_help_panel=SWITCHES,
            help="Never Winograd's: slower.",
        ),
    ] = False,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N", rich_help_panel=LEARNING, help="Same seed, same bits. Default: 0.", show_default=False
        ),
    ] = 0,
    limit: Annotated[
        int | None, typer.Option(metavar="N", rich_help_panel=PICTURES, help="Train on the first N pictures only.")
    ] = None,
    test_limit: Annotated[
        int | None, typer.Option(metavar="N", rich_help_panel=PICTURES, help="Test on the first N pictures only.")
    ] = None,
    predict: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            rich_help_panel=PICTURES,
            help="What these are, in the end: RUN/answers.csv.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", help="Default: every core this process may use."),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            rich_help_panel=START,
            help="Go on with a stopped run; --epochs counts all.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Run folder. Default: runs/MODEL-DATA-NNN."),
    ] = None,
    doctor: Annotated[
        bool,
        typer.Option("--doctor/--no-doctor", rich_help_panel=SWITCHES, help="Say what is wrong.", show_default=False),
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
) -> None:
    """Train a network, and leave a run folder: best and last model, log, curves.

    * unless the network's own recipe says otherwise: pellucid summary MODEL
    """
    from pellucid import ops, zoo
    from pellucid.datasets.listing import missing
    from pellucid.errors import ConfigError
    from pellucid.train import Checkpoints, TrainConfig

    if predict is not None and not predict.exists():
        raise missing(predict, "file or folder")
    if threads is not None:
        ops.set_num_threads(threads)
    if resume is not None:
        refuse_others(_given(context, "resume", "epochs", "threads", "quiet"))
        status = resume_run(resume, epochs, command=context.obj, quiet=quiet)
        if status is not None:
            raise typer.Exit(status)
        return
    if standardize and weights is not None:
        raise ConfigError("--standardize: pictures are scaled as they were for the weights; leave one of the two out")
    given = parse(settings or [])
    with WorkBar(quiet=quiet) as bar:
        source = load_weights(weights, model, given, bar) if weights is not None else None
    builder, name = naming(model, data, source)
    recipe = zoo.recipe(name, data) if name in zoo.NAMES else zoo.Recipe()
    config = TrainConfig(
        epochs=recipe.epochs if epochs is None else epochs,
        batch_size=recipe.batch_size if batch_size is None else batch_size,
        seed=seed,
        patience=patience,
        augment=augment or recipe.augment,
        class_weight=class_weight,
    )
    model_settings, chosen_optimizer, chosen_loss, schedule = settle(builder, optimizer, lr, loss, given, recipe)
    rule = resize or (source.preprocessing.resize if source else RESIZE)
    learned_size = (source.input_shape[0], source.input_shape[1]) if source else None
    loading: dict[str, Any] = {
        "data": absolute(data),
        "size": learned_size if size is None else size,
        "channels": source.input_shape[-1] if source else None,
        "resize": rule,
        "validation": absolute(validation),
        "seed": seed,
        "limit": limit,
        "test_limit": test_limit,
    }
    with WorkBar(quiet=quiet) as bar:
        dataset = load_data(**loading, bar=bar)
    tell_data(dataset, quiet=quiet)
    network = build(builder, dataset, rule, seed, model_settings, source)
    if standardize or (standardize is None and source is None and recipe.standardize):
        with WorkBar(quiet=quiet) as bar:
            network.preprocessing = standardized(network.preprocessing, dataset.train.images, bar)
    network.exact_convolution |= exact_convolution
    start = begin_from(network, source, weights, freeze or [])
    del source  # as large as the network, and no longer needed
    learning_rate = chosen_optimizer.learning_rate_at(0)
    fit_schedule(chosen_optimizer, schedule, config.epochs * -(-len(dataset.train) // config.batch_size))
    network.compile(chosen_optimizer, chosen_loss)
    examples = prepare(network, dataset, config)
    folder = make_run_folder(out, name, data)  # only now: whatever is wrong with the arguments has been said
    training = {
        **config.to_json(),
        "optimizer": network.optimizer.config(),
        "loss": loss or recipe.loss,
        "schedule": schedule,
        "learning_rate": learning_rate,
        "doctor": doctor,
    }
    checkpoints = Checkpoints(folder / CHECKPOINTS)
    with checkpoints.locked():
        check_unused(folder)  # somebody else may have been quicker
        told = record(context.obj, name, model_settings, network, dataset, loading, start, training)
        told["predict"] = None if predict is None else absolute(str(predict))
        say(
            f"{name} ({network.count_params():,} parameters) on {dataset.name}: {len(dataset.train):,} pictures",
            prose=True,
        )
        shown = {**model_settings, **({} if schedule is None else {"schedule": schedule})}
        if shown:
            say("settings " + ", ".join(f"{key}={value}" for key, value in shown.items()), prose=True)
        if weights is None and network.preprocessing.mean is not None:
            say(f"pictures {network.preprocessing.in_words()}", prose=True)
        status = train_in(folder, checkpoints, network, dataset, examples, config, told, quiet=quiet, doctor=doctor)
    if status is not None:
        raise typer.Exit(status)


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
