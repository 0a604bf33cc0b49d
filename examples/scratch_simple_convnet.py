"""The training program of the page with the network from scratch, on MNIST: 20 epochs of SimpleConvNet by Adam.

The names are the book's, only their home is pellucid.scratch. A few minutes on two cores; --quick takes the 1,797
digits of the package instead, and ten epochs. The trained parameters are kept beside the figure, as a pickle that the
book's own code reads too.
"""

from __future__ import annotations

import numpy as np
from drawing import digits, finish, new_figure, options, plain

from pellucid.scratch import SimpleConvNet, Trainer, load_mnist
from pellucid.visualise.drawing.figure import BLUE, INK, VERMILION


def data(quick: bool) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Pictures (N,1,28,28) from 0 to 1 with their labels, to learn from and to judge by."""
    if not quick:
        return load_mnist(flatten=False)
    train, train_labels, test, test_labels = digits(True)
    x_train, x_test = (images.transpose(0, 3, 1, 2) / np.float32(255) for images in (train, test))
    return (x_train, train_labels), (x_test, test_labels)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--epochs", type=int, help="default 20, or 10 if quick")
    given = parser.parse_args()
    epochs = given.epochs or (10 if given.quick else 20)
    (x_train, t_train), (x_test, t_test) = data(given.quick)

    np.random.seed(0)
    network = SimpleConvNet(
        input_dim=(1, 28, 28),
        conv_param={"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1},
        hidden_size=100,
        output_size=10,
        weight_init_std=0.01,
    )
    trainer = Trainer(
        network,
        x_train,
        t_train,
        x_test,
        t_test,
        epochs=epochs,
        mini_batch_size=100,
        optimizer="Adam",
        optimizer_param={"lr": 0.001},
        evaluate_sample_num_per_epoch=1000,
        verbose=False,
    )
    trainer.train()
    final = network.accuracy(x_test, t_test)
    print(f"{len(x_train):,} pictures, {len(trainer.train_loss_list):,} steps, loss {trainer.train_loss_list[-1]:.4f}")
    print(f"after {epochs} epochs {final:.2%} of the {len(x_test):,} test pictures are right")

    given.out.mkdir(parents=True, exist_ok=True)
    network.save_params(given.out / "params.pkl")
    figure = new_figure(6.4, 4.2)
    ax = figure.subplots()
    numbers = np.arange(1, epochs + 1)
    curves = (
        (f"{min(1000, len(x_train)):,} of the training pictures", trainer.train_acc_list, BLUE, "-", "o"),
        (f"{min(1000, len(x_test)):,} of the test pictures", trainer.test_acc_list, VERMILION, "--", "s"),
    )
    for label, accuracies, colour, line, marker in curves:
        percent = 100 * np.array(accuracies)
        ax.plot(numbers, percent, line, marker=marker, markersize=4, color=colour, label=label)
    ax.set_xlabel("epoch")
    ax.set_ylabel("accuracy (%)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    plain(ax)
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    what = "enlarged digits" if given.quick else "MNIST"
    ax.set_title(f"SimpleConvNet from scratch on {what}: {final:.2%} of all test pictures", fontsize=11, color=INK)
    finish(figure, given.out, "scratch_simple_convnet.png")


if __name__ == "__main__":
    main()
