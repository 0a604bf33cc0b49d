"""`pellucid train`: data, a network and settings become a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pellucid.cli.output import note
from pellucid.cli.recipes import recipe_for
from pellucid.cli.resume import refuse_others
from pellucid.cli.resume import resume as resume_run
from pellucid.cli.run import CHECKPOINTS, check_unused, make_run_folder
from pellucid.cli.settings import parse
from pellucid.cli.train_report import record
from pellucid.cli.train_run import train_in
from pellucid.cli.train_setup import (
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
from pellucid.progress import WorkBar

EXAMPLES = (
    "A small network on small digits, in seconds:\n\n   pellucid train\n\n"
    "The book's network on MNIST:\n\n"
    "   pellucid train simple-convnet --data mnist --epochs 20 --batch-size 100 --optimizer adam --lr 0.001\n\n"
    "A folder with one sub-folder a class (cats/, dogs/, ...):\n\n   pellucid train --data photos/\n\n"
    "Other settings of the network and the optimizer, by their own names:\n\n"
    "   pellucid train --optimizer sgd --set momentum=0.9 --set hidden_size=50\n\n"
    "Any argument of any layer, by the layer's name in `pellucid summary`, or of all that fit a pattern:\n\n"
    "   pellucid train --set conv1.filters=16 --set pool1.type=AvgPool2D --set '*.kernel_initializer=he_normal'\n\n"
    "A trained network for other classes: its features stay, its head is trained on a folder:\n\n"
    "   pellucid train --weights runs/first --freeze features --data photos/\n\n"
    "A run that was stopped, by Ctrl-C or by a power cut, goes on; a finished one too:\n\n"
    "   pellucid train --resume runs/first --epochs 30\n\n"
    "A learning rate that changes over the run (constant, step, cosine, warm_up):\n\n"
    "   pellucid train --set schedule=cosine"
)


def train(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="simple-convnet, lenet5, lenet5-published, cifar-net, convnetjs-cifar10, alexnet, alexnet-owt, "
            "vgg11, vgg13, vgg16, vgg19 or photo-net. Default: photo-net for a folder, else simple-convnet.",
        ),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            metavar="NAME|FOLDER",
            help="digits, mnist, fashion-mnist, cifar10, or a folder with one sub-folder a class.",
        ),
    ] = "digits",
    validation: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|FRACTION",
            help="What the best epoch is judged on: a folder, or a share of the training pictures such as 0.1. "
            "Default: the data's own validation part, else its test part.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Passes over the training pictures. Default: 20.")
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", help="Pictures in a training step. Default: 32; lenet5-published and cifar-net 64."),
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="sgd, momentum, nesterov, adagrad, rmsprop, adadelta, adam, adamw. Default: adam."
        ),
    ] = None,
    lr: Annotated[
        float | None, typer.Option(metavar="X", help="Learning rate. Default: the network's, else the optimizer's own.")
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Such as categorical_crossentropy, mse, mae. Default: categorical_crossentropy, and map_criterion for "
            "lenet5-published.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="An argument of the network, the optimizer or the loss, or LAYER.ARGUMENT=VALUE. Repeatable.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(metavar="N", help="Bring every picture to N x N. Default: as the data has it; folders 128."),
    ] = None,
    resize: Annotated[
        str | None,
        typer.Option(
            metavar="crop|center|pad|stretch", help="How a picture of another shape becomes square. Default: crop."
        ),
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            metavar="none|standard",
            help="standard shifts pictures by up to an eighth, and mirrors them (not digits). "
            "Default: standard for photo-net, else none.",
        ),
    ] = None,
    standardize: Annotated[
        bool | None,
        typer.Option(
            "--standardize/--no-standardize",
            help="Scale pictures to mean 0 and deviation 1 in each channel, as measured on the training pictures. "
            "Default: for cifar-net; other networks have a scaling of their own.",
        ),
    ] = None,
    class_weight: Annotated[
        str | None, typer.Option(metavar="balanced", help="Let rare classes count as much as common ones.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(metavar="N", help="Stop when N epochs in a row brought nothing better.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|RUN",
            help="Start from a trained network: a run folder, a model file, or with MODEL a file of PyTorch's or "
            "Keras's. Size and scaling of the pictures come from it, and without MODEL the layers too; a head for "
            "other classes starts anew.",
        ),
    ] = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Do not train: features (all up to the flatten or global pooling), a layer, or a pattern such as "
            "'conv1*'. Repeatable.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Same seed, same result to the last bit.")] = 0,
    limit: Annotated[int | None, typer.Option(metavar="N", help="Train on the first N pictures only.")] = None,
    test_limit: Annotated[int | None, typer.Option(metavar="N", help="Test on the first N pictures only.")] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Default: every core this process may use.")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Go on with a run that was stopped, amid an epoch too, to the same result as if it never had been; "
            "with --epochs N to N epochs in all.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="RUN", help="The run folder. Default: runs/MODEL-DATA-NNN, a new one.")
    ] = None,
    doctor: Annotated[
        bool,
        typer.Option("--doctor/--no-doctor", help="Say what keeps a network from learning, with the remedy."),
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
) -> None:
    """Train a network, and leave a run folder: the best model, the last one, log, curves and filters."""
    from pellucid import ops
    from pellucid.errors import ConfigError
    from pellucid.train import Checkpoints, TrainConfig

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
    recipe = recipe_for(name, data)
    config = TrainConfig(
        epochs=recipe.epochs if epochs is None else epochs,
        batch_size=recipe.batch_size if batch_size is None else batch_size,
        seed=seed,
        patience=patience,
        augment=augment or recipe.augment,
        class_weight=class_weight,
    )
    model_settings, chosen_optimizer, chosen_loss, schedule = settle(builder, optimizer, lr, loss, given, recipe)
    rule = resize or (source.preprocessing.resize if source else "crop")
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
    for file, reason in dataset.skipped:
        note(f"left out {file}: {reason}")
    network = build(builder, dataset, rule, seed, model_settings, source)
    if standardize or (standardize is None and source is None and recipe.standardize):
        with WorkBar(quiet=quiet) as bar:
            network.preprocessing = standardized(network.preprocessing, dataset.train.images, bar)
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
        print(f"{name} ({network.count_params():,} parameters) on {dataset.name}: {len(dataset.train):,} pictures")
        shown = {**model_settings, **({} if schedule is None else {"schedule": schedule})}
        if shown:
            print("settings " + ", ".join(f"{key}={value}" for key, value in shown.items()))
        if weights is None and network.preprocessing.mean is not None:
            print(f"pictures {network.preprocessing.told()}")
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
