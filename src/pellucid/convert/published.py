"""Published files of weights by name, with the hash their publisher states: a damaged download is noticed; and how the
pictures were prepared that they learned from: the same must happen to those they judge.

Source: torchvision's model table, pytorch/vision/torchvision/models/vgg.py and alexnet.py (a file's name carries the
first eight digits of its SHA-256, as torch.hub checks them); Keras's keras/src/applications/vgg16.py, vgg19.py and
imagenet_utils.py, whose get_file checks MD5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import expect_known
from pellucid.model import Model

TORCHVISION = "https://download.pytorch.org/models/"
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"


@dataclass(frozen=True)
class Published:
    """A file by the name it is published under.

    digest: the hash, or its first digits, in hexadecimal. network: what `pellucid import --as` takes. Units: MB, 10^6.
    """

    file: str
    url: str
    kind: str
    digest: str
    network: str
    megabytes: int


def _torchvision(network: str, file: str, megabytes: int) -> Published:
    digest = file.rpartition("-")[2].partition(".")[0]
    return Published(file, TORCHVISION + file, "sha256", digest, network, megabytes)


def _keras(network: str, top: str, digest: str, megabytes: int) -> Published:
    file = f"{network}_weights_tf_dim_ordering_tf_kernels{top}.h5"
    return Published(file, f"{KERAS}{network}/{file}", "md5", digest, network, megabytes)


PUBLISHED = {
    one.file: one
    for one in (
        _torchvision("alexnet-owt", "alexnet-owt-7be5be79.pth", 244),
        _torchvision("vgg11", "vgg11-8a719046.pth", 531),
        _torchvision("vgg11_bn", "vgg11_bn-6002323d.pth", 532),
        _torchvision("vgg13", "vgg13-19584684.pth", 532),
        _torchvision("vgg13_bn", "vgg13_bn-abd245e5.pth", 532),
        _torchvision("vgg16", "vgg16-397923af.pth", 553),
        _torchvision("vgg16_bn", "vgg16_bn-6c64b313.pth", 554),
        _torchvision("vgg19", "vgg19-dcbb9e9d.pth", 575),
        _torchvision("vgg19_bn", "vgg19_bn-c79401a0.pth", 575),
        _keras("vgg16", "", "64373286793e3c8b2b4e3219cbf3544b", 553),
        _keras("vgg16", "_notop", "6d6bbae143d832006294945121d1f1fc", 59),
        _keras("vgg19", "", "cbe5617147190e668d6c5d5026f83318", 575),
        _keras("vgg19", "_notop", "253f8cb515780f3b799900260a226db6", 80),
    )
}


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
