"""The network of seed 003 learns CIFAR-10: 36, 72 and 144 filters, dropout, 1,451,314 parameters.

Half a minute an epoch on two cores; --quick takes a third of the width, and coloured digits that need no download.
The trained network is kept beside the figure, for examples/features_by_depth.py.
"""

from __future__ import annotations

from drawing import finish, options, photographs

from pellucid import Sequential, zoo
from pellucid.train import History
from pellucid.visualise import Log, curves_figure


def train(quick: bool, epochs: int) -> tuple[Sequential, History]:
    """The trained network, and what was measured on the way."""
    images, labels, test, truth = photographs(quick)
    model = zoo.cifar_net(n_filter=12 if quick else 36)
    model.compile("adam", "categorical_crossentropy")
    batch = 32 if quick else 128
    return model, model.fit(images, labels, batch, epochs, verbose=2, validation_data=(test, truth))


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--epochs", type=int, help="default 10, or 4 if quick")
    given = parser.parse_args()
    full = zoo.cifar_net()
    flat = full.get_layer("dense1").weights[0].shape[0]
    print(f"{full.count_params():,} parameters, {flat:,} numbers flattened")
    model, history = train(given.quick, given.epochs or (4 if given.quick else 10))
    print(f"{model.count_params():,} parameters trained, {history['val_accuracy'][-1]:.1%} of the test pictures right")
    log = Log([epoch + 1 for epoch in history.epoch], history.history)
    data = "coloured digits" if given.quick else "CIFAR-10"
    finish(
        curves_figure(log, title=f"cifar-net on {data}, {model.count_params():,} parameters"),
        given.out,
        "cifar_net.png",
    )
    model.save(given.out / "cifar-net.safetensors")


if __name__ == "__main__":
    main()
