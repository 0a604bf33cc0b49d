"""How the pictures were prepared that a published network learned from: the same must happen to those it judges."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import expect_known
from pellucid.model import Model


@dataclass(frozen=True)
class Scaling:
    """A recipe by name; blue_first: the network was trained on blue, green, red."""

    preprocessing: Preprocessing
    blue_first: bool = False

    def fitted(self, model: Model) -> Preprocessing:
        """The recipe for a model's size of picture; mean and deviation only where it takes three channels."""
        height, width, channels = model.input_shape
        plain = self.preprocessing if channels == 3 else Preprocessing(resize=self.preprocessing.resize)
        return replace(plain, size=(height, width), channels=channels)


SCALINGS = {
    # red, green, blue by 255, less ImageNet's mean, by its deviation; the middle of a picture whose short side is 256
    "torchvision": Scaling(Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), resize="center")),
    # from 0 to 255, less ImageNet's mean; the whole picture, stretched
    "caffe": Scaling(Preprocessing(scale=1.0, mean=(123.68, 116.779, 103.939), resize="stretch"), blue_first=True),
    "plain": Scaling(Preprocessing()),
}
"""torchvision: its presets' transforms (torchvision/transforms/_presets.py). caffe: what Keras's VGG was trained on
(keras/src/applications/imagenet_utils.py, mode "caffe"). plain: pixels divided by 255, as Pellucid's own networks."""


def choose(name: str | None, framework: str, model_name: str) -> tuple[str, Scaling]:
    """The recipe of this name; None: what the framework's published networks of this name were trained with.

    Errors: ConfigError for an unknown name.
    """
    if name is None:
        published = model_name.startswith("vgg") or (framework == "torch" and model_name == "alexnet-owt")
        name = {"torch": "torchvision", "keras": "caffe"}.get(framework, "plain") if published else "plain"
    return name, SCALINGS[expect_known("scaling", name, SCALINGS)]
