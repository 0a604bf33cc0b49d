"""The named data sets: what they are, which files they need, and where those come from.

The SHA-256 of the MNIST and Fashion-MNIST files was taken from copies whose MD5 is the one that torchvision lists (and
Fashion-MNIST's own page). That of CIFAR-10's archive is the one in published loaders (red-datasets, gomlx); the MD5 on
its author's page is c32a1d4ab5d03f1284b67883e8d87530. That of CIFAR-100's is in keras/src/datasets/cifar100.py.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pellucid.datasets.cifar import BINARY_FILES, HUNDRED_FILES, HUNDRED_NAMES, PYTHON_FILES
from pellucid.datasets.cifar import CLASS_NAMES as CIFAR_NAMES
from pellucid.datasets.digits import SOURCE as DIGITS_SOURCE
from pellucid.datasets.download import Remote
from pellucid.errors import unknown_name

TEN_DIGITS = tuple(str(digit) for digit in range(10))
FASHION_NAMES = tuple(
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
)

IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

_MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "http://yann.lecun.com/exdb/mnist",
)
_FASHION_MIRRORS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
)
_CIFAR_MIRRORS = (
    "https://www.cs.toronto.edu/~kriz",
    "https://cave.cs.toronto.edu/kriz",
    "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10",
)
_CIFAR_FOLDERS = (
    *(f"{parent}cifar-10-batches-{form}" for form in ("bin", "py") for parent in ("", "cifar-10/", "cifar10/")),
    "cifar-10",
    "cifar10",
)
_HUNDRED_FOLDERS = (
    "cifar-100-python",
    "cifar-100/cifar-100-python",
    "cifar100/cifar-100-python",
    "cifar-100",
    "cifar100",
)


@dataclass(frozen=True)
class Known:
    """A data set that has a name.

    Shapes: shape (H,W,C) of a picture.
    folders: where its files may lie under a searched folder; system_folders: absolute places that are searched too.
    layouts: each a full set of files; any one is enough.
    """

    name: str
    title: str
    source: str
    class_names: tuple[str, ...]
    shape: tuple[int, int, int]
    num_train: int
    num_test: int
    folders: tuple[str, ...] = ()
    system_folders: tuple[Path, ...] = ()
    layouts: tuple[tuple[str, ...], ...] = ()
    remotes: tuple[Remote, ...] = ()


def _in_idx(
    name: str,
    title: str,
    source: str,
    class_names: tuple[str, ...],
    folders: tuple[str, ...],
    hashes: tuple[tuple[str, int], ...],
    mirrors: tuple[str, ...],
    system_folders: tuple[Path, ...] = (),
) -> Known:
    """A set of MNIST's form. hashes: SHA-256 and length in bytes of each file, gzipped."""
    named = zip(IDX_FILES, hashes, strict=True)
    remotes = tuple(Remote(f"{file}.gz", sha256, num_bytes, mirrors) for file, (sha256, num_bytes) in named)
    shape, layouts = (28, 28, 1), (IDX_FILES,)
    return Known(name, title, source, class_names, shape, 60000, 10000, folders, system_folders, layouts, remotes)


KNOWN = {
    known.name: known
    for known in (
        Known(
            name="digits",
            title="small handwritten digits",
            source=DIGITS_SOURCE,
            class_names=TEN_DIGITS,
            shape=(8, 8, 1),
            num_train=1437,
            num_test=360,
        ),
        _in_idx(
            "mnist",
            "handwritten digits",
            "MNIST, Y. LeCun, C. Cortes and C. Burges, http://yann.lecun.com/exdb/mnist, CC BY-SA 3.0",
            TEN_DIGITS,
            ("mnist", "MNIST", "MNIST/raw", "mnist/raw"),
            (
                ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9912422),
                ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881),
                ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1648877),
                ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542),
            ),
            _MNIST_MIRRORS,
        ),
        _in_idx(
            "fashion-mnist",
            "articles of clothing",
            "Fashion-MNIST, H. Xiao, K. Rasul and R. Vollgraf 2017, Zalando SE, MIT licence",
            FASHION_NAMES,
            ("fashion-mnist", "fashion_mnist", "FashionMNIST", "FashionMNIST/raw"),
            (
                ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26421880),
                ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29515),
                ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4422102),
                ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5148),
            ),
            _FASHION_MIRRORS,
            system_folders=(Path("/usr/share/datasets/fashion-mnist"),),  # Debian's package dataset-fashion-mnist
        ),
        Known(
            name="cifar10",
            title="small colour photographs",
            source="CIFAR-10, A. Krizhevsky 2009, University of Toronto technical report; no licence stated",
            class_names=CIFAR_NAMES,
            shape=(32, 32, 3),
            num_train=50000,
            num_test=10000,
            folders=_CIFAR_FOLDERS,
            layouts=(BINARY_FILES, PYTHON_FILES),
            remotes=(
                Remote(
                    "cifar-10-binary.tar.gz",
                    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                    170052171,
                    _CIFAR_MIRRORS,
                ),
            ),
        ),
        Known(
            name="cifar100",
            title="small colour photographs",
            source="CIFAR-100, A. Krizhevsky 2009, University of Toronto technical report; no licence stated",
            class_names=HUNDRED_NAMES,
            shape=(32, 32, 3),
            num_train=50000,
            num_test=10000,
            folders=_HUNDRED_FOLDERS,
            layouts=(HUNDRED_FILES,),
            remotes=(
                Remote(
                    "cifar-100-python.tar.gz",
                    "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
                    169001437,
                    _CIFAR_MIRRORS[:2],
                ),
            ),
        ),
    )
}


def canonical(name: str) -> str | None:
    """The name by which a data set is listed, from any usual spelling of it; None if it has none."""
    bare = _without_marks(name)
    return next((known for known in KNOWN if _without_marks(known) == bare), None)


def _without_marks(name: str) -> str:
    return name.strip().lower().replace("-", "").replace("_", "")


def is_folder(data: str | os.PathLike[str]) -> bool:
    """Whether these are a folder's pictures. A set's name is that set, and a folder that is called so is ./NAME."""
    return not (isinstance(data, str) and canonical(data)) and Path(data).expanduser().is_dir()


def known(name: str) -> Known:
    """Errors: ConfigError for a name that is not listed, suggesting the nearest."""
    found = canonical(name)
    if found is None:
        raise unknown_name("data set", name, KNOWN)
    return KNOWN[found]
