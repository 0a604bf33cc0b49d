"""Maps of what a network looks at, on networks whose answer is known, and against PyTorch's autograd."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import Sequential, layers
from pellucid.errors import ConfigError, ShapeError
from pellucid.visualise import attention_figure, default_layer, grad_cam, input_gradient, occlusion, saliency
from pellucid.visualise.attribution.data import enlarge

RNG = np.random.default_rng(2)


def linear(classes: int = 3, softmax: bool = False) -> tuple[Sequential, np.ndarray]:
    """Scores that are a linear function of the picture, and its kernel (H,W,C,classes)."""
    ends = [layers.Softmax()] if softmax else []
    model = Sequential([layers.Flatten(input_shape=(6, 5, 3)), layers.Dense(classes), *ends])
    kernel = RNG.normal(size=(90, classes)).astype(np.float32)
    model.get_layer("dense").set_weights([kernel, np.zeros(classes)])
    return model, kernel.reshape(6, 5, 3, classes)


def corner() -> Sequential:
    """Class 1 is the more probable the brighter the four pixels at the lower left are; it looks at nothing else."""
    model = Sequential([layers.Flatten(input_shape=(8, 10, 1)), layers.Dense(2), layers.Softmax()])
    kernel = np.zeros((8, 10, 2), np.float32)
    kernel[6:, :2, 1] = 2
    model.get_layer("dense").set_weights([kernel.reshape(80, 2), np.zeros(2)])
    return model


def convolutional(head: str = "pool") -> Sequential:
    ends = [layers.GlobalAvgPool2D()] if head == "pool" else [layers.MaxPool2D(), layers.Flatten()]
    return Sequential(
        [
            layers.Conv2D(5, 3, strides=(2, 1), padding="same", input_shape=(12, 9, 3), name="conv1"),
            layers.BatchNorm(name="norm1"),
            layers.ReLU(name="relu1"),
            layers.Conv2D(4, (3, 2), activation="relu", name="conv2"),
            *ends,
            layers.Dense(3, activation="softmax", name="out"),
        ],
        seed=4,
    )


@pytest.mark.parametrize("softmax", [False, True])
def test_the_gradient_of_a_linear_score_is_its_kernel(softmax: bool) -> None:
    model, kernel = linear(softmax=softmax)
    pictures = RNG.random((4, 6, 5, 3), dtype=np.float32)
    found = input_gradient(model, pictures, [0, 2, 1, 2])
    for picture, index in zip(found, [0, 2, 1, 2], strict=True):
        np.testing.assert_allclose(picture, kernel[..., index], rtol=1e-5)
    answers = model.predict(pictures).argmax(axis=1)
    np.testing.assert_allclose(input_gradient(model, pictures)[3], kernel[..., answers[3]], rtol=1e-5)
    np.testing.assert_allclose(saliency(found)[0], np.abs(kernel[..., 0]).max(axis=2), rtol=1e-5)


def in_pytorch(model: Sequential, x: np.ndarray, index: int, head: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The score's slope along the picture and along the second convolution's maps, and these maps."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    f = torch.nn.functional
    value = {
        f"{layer.name}.{name}": torch.tensor(np.array(array))
        for layer in model.layers
        for name, array in {**layer.params, **layer.state}.items()
    }
    picture = torch.tensor(x[None], requires_grad=True)
    # "same" for 12 rows in steps of 2 under 3 taps: one row below, none above
    h = f.pad(picture.permute(0, 3, 1, 2), (1, 1, 0, 1))
    h = f.conv2d(h, value["conv1.kernel"].permute(3, 2, 0, 1), value["conv1.bias"], stride=(2, 1))
    norm = [value[f"norm1.{name}"] for name in ("mean", "variance", "gamma", "beta")]
    h = torch.relu(f.batch_norm(h, *norm, eps=model.get_layer("norm1").epsilon))
    maps = torch.relu(f.conv2d(h, value["conv2.kernel"].permute(3, 2, 0, 1), value["conv2.bias"]))
    maps.retain_grad()
    end = maps.mean(dim=(2, 3)) if head == "pool" else f.max_pool2d(maps, 2).permute(0, 2, 3, 1).flatten(1)
    (end @ value["out.kernel"] + value["out.bias"])[0, index].backward()
    back = [array.detach().permute(0, 2, 3, 1).numpy()[0] for array in (maps.grad, maps)]
    return picture.grad.numpy()[0], back[0], back[1]


@pytest.mark.parametrize("head", ["pool", "dense"])
def test_gradient_and_grad_cam_are_pytorchs(head: str) -> None:
    model = convolutional(head)
    picture = RNG.random((12, 9, 3), dtype=np.float32)
    wanted, slope, maps = in_pytorch(model, picture, 1, head)
    np.testing.assert_allclose(input_gradient(model, picture[None], 1)[0], wanted, rtol=1e-4, atol=1e-6)
    cam = np.maximum((slope.mean(axis=(0, 1)) * maps).sum(axis=2), 0)
    found = grad_cam(model, picture, classes=[1, 0])
    assert found.shape == (2, 12, 9) and default_layer(model) == "conv2"
    np.testing.assert_allclose(found[0], enlarge(cam, (12, 9)), rtol=1e-4, atol=1e-6)


def test_grad_cam_before_a_global_mean_is_the_class_activation_map() -> None:
    # Zhou et al. 2016: the maps weighted by the dense layer's weights; the mean's slope is 1 / (rows * columns)
    model = convolutional()
    picture = RNG.random((12, 9, 3), dtype=np.float32)
    maps = model.layers[0](picture[None])
    for layer in model.layers[1:4]:
        maps = layer(maps)
    weights = model.get_layer("out").params["kernel"][:, 2]
    wanted = np.maximum(maps[0] @ weights, 0) / (maps.shape[1] * maps.shape[2])
    np.testing.assert_allclose(grad_cam(model, picture, classes=2)[0], enlarge(wanted, (12, 9)), rtol=1e-4, atol=1e-7)


def test_the_default_layer_takes_what_follows_value_by_value() -> None:
    model = Sequential(
        [
            layers.Conv2D(4, 3, input_shape=(8, 8, 1), name="conv"),
            layers.BatchNorm(name="norm"),
            layers.ReLU(name="relu"),
            layers.MaxPool2D(name="pool"),
            layers.Conv2D(2, 3, name="one_pixel"),
            layers.Flatten(),
        ]
    )
    assert default_layer(model) == "relu"
    with pytest.raises(ConfigError, match="no convolution"):
        default_layer(linear()[0])


def test_enlarging_keeps_a_constant_and_puts_values_in_their_place() -> None:
    assert (enlarge(np.full((3, 2), 7.0), (9, 8)) == 7).all()
    large = enlarge(np.array([[0.0, 1.0], [2.0, 3.0]]), (4, 4))
    # halves of pixels: 0, 1/4, 3/4, 1 of the way along each side
    way = np.array([0, 0.25, 0.75, 1])
    np.testing.assert_allclose(large, way[None, :] + 2 * way[:, None], atol=1e-6)


def test_occlusion_finds_the_corner_that_the_network_looks_at() -> None:
    model, picture = corner(), np.full((8, 10, 1), 0.25, np.float32)
    picture[6:, :2] = 1
    seen: list[int] = []
    found = occlusion(model, picture, 2, 2, fill=0, classes=[1, 0], progress=lambda done, total, _: seen.append(total))
    whole, covered = (1 / (1 + np.exp(-score)) for score in (2.0 * 4, 0.0))
    wanted = np.zeros((8, 10))
    wanted[6:, :2] = whole - covered
    np.testing.assert_allclose(found[0], wanted, atol=1e-6)
    np.testing.assert_allclose(found[1], -wanted, atol=1e-6)
    assert seen == [20]
    mean = occlusion(model, picture, 2, 2, classes=1)[0, 7, 0]
    score = 2 * 4 * float(picture.mean())
    assert mean == pytest.approx(whole - 1 / (1 + np.exp(-score)), abs=1e-6)


def test_overlapping_covers_are_averaged_and_reach_every_pixel() -> None:
    model, picture = corner(), np.ones((8, 10, 1), np.float32)
    found = occlusion(model, picture, (3, 4), (2, 3), fill=1, classes=1)  # covers what is white with white
    assert found.shape == (1, 8, 10) and np.abs(found).max() == 0
    black = occlusion(model, picture, (3, 4), (2, 3), fill=0, classes=1)[0]
    assert black[7, 0] > 0 and (black[:4, :] == 0).all() and (black[:, 4:] == 0).all()


def test_uint8_is_covered_in_its_own_units() -> None:
    model, picture = corner(), np.full((8, 10, 1), 255, np.uint8)
    as_floats = occlusion(model, np.ones((8, 10, 1), np.float32), 2, fill=0.2, classes=1)
    np.testing.assert_allclose(occlusion(model, picture, 2, fill=51, classes=1), as_floats, atol=1e-6)


def test_one_score_speaks_for_the_second_of_two_classes() -> None:
    model = Sequential([layers.Flatten(input_shape=(4, 4, 1)), layers.Dense(1, activation="sigmoid")])
    kernel = RNG.normal(size=(16, 1))
    model.get_layer("dense").set_weights([kernel, np.zeros(1)])
    picture = RNG.random((1, 4, 4, 1), dtype=np.float32)
    for index, sign in ((1, 1), (0, -1)):
        np.testing.assert_allclose(input_gradient(model, picture, index).ravel(), sign * kernel.ravel(), rtol=1e-5)
    figure = attention_figure(model, picture[0], method="gradient")
    assert len(figure.axes) == 4  # the picture, two classes, the scale


@pytest.mark.parametrize("method", ["gradient", "grad-cam", "occlusion"])
def test_the_figure_shows_each_map_beside_its_class(method: str) -> None:
    model = convolutional()
    model.class_names = ("cat", "dog", "owl")
    picture = RNG.integers(0, 256, (12, 9, 3), np.uint8)
    figure = attention_figure(model, picture, method=method, classes=[2, 0], name="pet.jpg")
    first, owl, cat, _ = figure.axes
    assert first.get_title() == "pet.jpg"
    np.testing.assert_allclose(np.asarray(first.images[0].get_array()), picture / 255)
    batch = np.repeat(picture[None], 2, axis=0)
    wanted = {
        "gradient": lambda: saliency(input_gradient(model, batch, [2, 0])),
        "grad-cam": lambda: grad_cam(model, picture, classes=[2, 0]),
        "occlusion": lambda: occlusion(model, picture, (2, 2), classes=[2, 0]),
    }[method]()
    probability = model.predict(picture[None])[0]
    for axes, name, index, values in ((owl, "owl", 2, wanted[0]), (cat, "cat", 0, wanted[1])):
        np.testing.assert_allclose(np.asarray(axes.images[1].get_array()), values, rtol=1e-6)
        assert axes.get_title().startswith(f"{name}: {100 * probability[index]:.1f} %")
    assert "not trained" in figure.get_suptitle()


def test_a_changed_weight_changes_the_map() -> None:
    model, _ = linear()
    before = input_gradient(model, np.zeros((1, 6, 5, 3), np.float32), 0)
    weights = model.get_weights()
    weights[0][0, 0] += 1
    model.set_weights(weights)
    after = input_gradient(model, np.zeros((1, 6, 5, 3), np.float32), 0)
    assert np.argwhere(before != after).tolist() == [[0, 0, 0, 0]]


def test_wrong_questions_are_answered_plainly() -> None:
    model, picture = convolutional(), np.zeros((12, 9, 3), np.float32)
    with pytest.raises(ConfigError, match=r"unknown layer.*did you mean 'conv2'"):
        grad_cam(model, picture, "conv3")
    with pytest.raises(ConfigError, match=r"'out'.*gives no maps"):
        grad_cam(model, picture, "out")
    with pytest.raises(ConfigError, match="classes 0 to 2, got 3"):
        occlusion(model, picture, 3, classes=3)
    with pytest.raises(ConfigError, match="classes 0 to 2, got 5"):
        input_gradient(model, picture[None], 5)
    with pytest.raises(ConfigError, match="size 13x3 and stride 3x1"):
        occlusion(model, picture, (13, 3))
    with pytest.raises(ConfigError, match="size 2x2 and stride 3x3"):
        occlusion(model, picture, 2, 3)
    with pytest.raises(ShapeError, match=r"one picture \(12, 9, 3\) at a time"):
        occlusion(model, picture[None], 2)
    with pytest.raises(ConfigError, match="unknown method 'gradcam'; did you mean 'grad-cam'"):
        attention_figure(model, picture, method="gradcam")
