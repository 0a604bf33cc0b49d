"""A traced pass: what it shows is what the network computes, and it changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

import pellucid
from pellucid import Sequential, layers, visualise, zoo
from pellucid.errors import ConfigError, DataError, ShapeError
from pellucid.model import tracing
from pellucid.model.tracing import Trace, trace


def pictures(n: int = 4, size: int = 8, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, size, size, channels), dtype=np.float32)


def small_model(head: str = "layer", **compiled: object) -> Sequential:
    ends = {
        "layer": [layers.Dense(4), layers.Softmax()],
        "activation": [layers.Dense(4), layers.Activation("softmax")],
        "dense": [layers.Dense(4, activation="softmax")],
        "none": [layers.Dense(4)],
    }
    model = Sequential(
        [
            layers.Conv2D(6, 3, padding="same", input_shape=(8, 8, 3), name="conv1"),
            layers.BatchNorm(name="norm"),
            layers.Activation("tanh"),
            layers.MaxPool2D(name="pool"),
            layers.Conv2D(5, 3, activation="relu", name="conv2"),
            layers.Dropout(0.5, name="dropout"),
            layers.Flatten(),
            *ends[head],
        ],
        seed=3,
    )
    model.compile(**compiled) if compiled else model.compile("sgd", "categorical_crossentropy")
    return model


def in_pytorch(model: Sequential, x: np.ndarray, labels: np.ndarray | None) -> tuple[dict[str, np.ndarray], float]:
    """The same network in PyTorch: gradients of the mean loss, or of the scores of class 2, and the value of either."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    f = torch.nn.functional
    weight = {
        f"{layer.name}.{name}": torch.tensor(np.array(value), requires_grad=True)
        for layer in model.layers
        for name, value in layer.params.items()
    }
    picture = torch.tensor(x, requires_grad=True)
    kernels = [weight[f"conv{number}.kernel"].permute(3, 2, 0, 1) for number in (1, 2)]
    h = f.conv2d(picture.permute(0, 3, 1, 2), kernels[0], weight["conv1.bias"], padding=1)
    conv1 = h
    conv1.retain_grad()
    norm = model.get_layer("norm")
    mean, variance = (torch.tensor(np.array(norm.state[name])) for name in ("mean", "variance"))
    h = f.batch_norm(h, mean, variance, weight["norm.gamma"], weight["norm.beta"], eps=norm.epsilon)
    h = f.max_pool2d(torch.tanh(h), 2)
    h = torch.relu(f.conv2d(h, kernels[1], weight["conv2.bias"]))
    flat = h.permute(0, 2, 3, 1).reshape(len(x), -1)
    scores = flat @ weight["dense.kernel"] + weight["dense.bias"]
    value = scores[:, 2].sum() if labels is None else f.cross_entropy(scores, torch.tensor(labels))
    value.backward()
    found = {name: tensor.grad.numpy() for name, tensor in weight.items() if tensor.grad is not None}
    found["input"] = picture.grad.numpy()
    found["conv1.output"] = conv1.grad.permute(0, 2, 3, 1).numpy()
    return found, float(value.detach())


def close(found: np.ndarray | None, wanted: np.ndarray) -> None:
    assert found is not None
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("head", ["layer", "activation", "dense"])
@pytest.mark.parametrize("of", ["loss", "class"])
def test_gradients_are_pytorchs(head: str, of: str) -> None:
    model = small_model(head)
    model.get_layer("norm").state["mean"][:] = np.linspace(-0.2, 0.3, 6)
    model.get_layer("norm").state["variance"][:] = np.linspace(0.5, 2, 6)
    x, labels = pictures(), np.array([0, 3, 1, 2])
    wanted, value = in_pytorch(model, x, labels if of == "loss" else None)
    seen = trace(model, x, labels) if of == "loss" else trace(model, x).back_from_class(2)
    if of == "loss":
        assert seen.losses is not None and seen.losses.mean() == pytest.approx(value, rel=1e-5)
    assert seen.what == ("loss" if of == "loss" else "scores")
    close(seen[0].d_input, wanted.pop("input"))
    close(seen["conv1"].d_output, wanted.pop("conv1.output"))
    for name, gradient in wanted.items():
        layer, parameter = name.split(".")
        close(seen[layer].d_weights[parameter], gradient)


@pytest.mark.parametrize("name", ["simple-convnet", "lenet5", "lenet5-published", "convnetjs-cifar10"])
def test_outputs_are_the_predictions_and_each_layer_takes_what_the_one_before_gave(name: str) -> None:
    model = zoo.build(name)
    x = np.random.default_rng(1).integers(0, 256, (3, *model.input_shape), np.uint8)
    seen = trace(model, x)
    np.testing.assert_allclose(seen.outputs, model.predict(x), rtol=2e-4, atol=1e-6)
    assert seen.names == tuple(layer.name for layer in model.layers) and len(seen) == len(model.layers)
    assert all(after.input is before.output for before, after in zip(seen.steps[:-1], seen.steps[1:], strict=True))
    assert all(step.d_output is None and not step.d_weights for step in seen)


def test_nothing_of_the_model_changes() -> None:
    model = small_model()
    before, version = [np.array(w) for w in model.weights], model.version
    again = [trace(model, pictures(), [0, 1, 2, 3], training=True, seed=5) for _ in range(2)]
    assert model.version == version
    assert all(np.array_equal(now, then) for now, then in zip(model.weights, before, strict=True))
    one, two = (seen["dropout"].output for seen in again)
    assert np.array_equal(one, two) and (one == 0).mean() > 0.3  # drawn from the seed
    assert not np.array_equal(one, trace(model, pictures(), training=True, seed=6)["dropout"].output)


def test_a_loss_without_softmax_inside_goes_back_through_it() -> None:
    model = small_model("dense", optimizer="sgd", loss="mse")
    x, labels = pictures(), np.array([0, 3, 1, 2])
    seen = trace(model, x, labels)
    probabilities, target = seen.outputs.astype(float), np.eye(4)[labels]
    d = 2 * (probabilities - target) / 4 / len(x)
    close(seen["dense"].d_output, d)
    through = probabilities * (d - (d * probabilities).sum(axis=1, keepdims=True))
    close(seen["dense"].d_weights["bias"], through.sum(axis=0))


def test_back_from_a_layer_in_the_middle_leaves_those_behind_it_alone() -> None:
    seen = trace(small_model(), pictures())
    back = seen.back(np.ones_like(seen["pool"].output), "pool")
    assert back["conv1"].d_weights and back["pool"].d_output is not None
    assert back["conv2"].d_output is None and not back["conv2"].d_weights
    assert seen["conv1"].d_output is None  # the first trace is as it was


@pytest.mark.parametrize("head", ["layer", "dense", "none"])
def test_going_back_to_a_layer_gives_what_going_back_all_the_way_gives_there(head: str) -> None:
    seen = trace(small_model(head), pictures())
    whole, part = seen.back_from_class(2), seen.back_from_class(2, to="pool", weights=False)
    for name in ("pool", "conv2", "flatten"):
        np.testing.assert_array_equal(part[name].d_output, whole[name].d_output)
    assert whole["conv2"].d_weights and not any(step.d_weights for step in part)
    assert part["pool"].d_input is None and part["conv1"].d_output is None
    last = seen.names[-1]
    beyond = seen.back(np.ones_like(seen["pool"].output), "pool", to=last)
    assert all(step.d_output is None for step in beyond)


def test_looking_computes_no_gradient_of_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the gradient of a kernel was computed")

    model, x = small_model(), pictures(1)
    monkeypatch.setattr(pellucid.ops, "conv2d_backward_kernel", refuse)
    monkeypatch.setattr(pellucid.ops, "dense_backward_kernel", refuse)
    visualise.ascend(model, "conv2", [0], steps=2)
    visualise.grad_cam(model, x[0], "conv2", [0, 1])
    visualise.input_gradient(model, x)
    visualise.feature_maps(model, x[0])
    with pytest.raises(AssertionError, match="kernel was computed"):
        trace(model, x, [0])


def test_wrong_questions_are_answered_plainly() -> None:
    model = small_model()
    seen = trace(model, pictures())
    with pytest.raises(ConfigError, match=r"conv11.*did you mean 'conv1'"):
        seen["conv11"]
    with pytest.raises(ShapeError, match=r"must be \(4, 4\), got \(4, 5\)"):
        seen.back(np.zeros((4, 5)))
    with pytest.raises(ConfigError, match="classes 0 to 3, got 4"):
        seen.back_from_class([0, 1, 2, 4])
    with pytest.raises(ConfigError, match="no row of scores"):
        trace(Sequential([layers.Conv2D(2, 3, input_shape=(8, 8, 3))]), pictures()).back_from_class(0)
    with pytest.raises(ConfigError, match="no layers to trace"):
        trace(Sequential([]), pictures())
    with pytest.raises(ShapeError, match="resize them"):
        trace(model, pictures(size=9))
    with pytest.raises(DataError, match="4 pictures but 3 labels"):
        trace(model, pictures(), [0, 1, 2])


def test_it_is_at_hand() -> None:
    at_hand = pellucid.trace  # whose arguments are checked, from its first use on
    assert at_hand is tracing.trace and isinstance(at_hand(small_model(), pictures()), Trace)
