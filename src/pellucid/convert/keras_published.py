"""Keras's published files of weights, for the networks of `keras.applications`: of ImageNet's 1,000 classes.

Source: keras/src/applications/*.py, whose get_file checks MD5; for MobileNet nothing is stated. Sizes are those of the
weights, 4 bytes each.
"""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.convert.published import KERAS, Published

Row = tuple[str, str, str, int, int]
"""A network, then of its file with the last dense layer and of the one without it: MD5, and MB."""

_RAW = "https://storage.googleapis.com/keras-applications/"


def _files(
    rows: tuple[Row, ...], url: str, scaling: str, ends: tuple[str, str] = ("", "_notop")
) -> Iterator[Published]:
    """url: with places for the network and for what a file's name ends in."""
    for network, *digests, whole, less in rows:
        for end, digest, megabytes in zip(ends, digests, (whole, less), strict=True):
            place = url.format(network=network, end=end)
            yield Published(place.rpartition("/")[2], place, "md5", digest, network, megabytes, scaling, "Apache 2.0")


_STANDARD = KERAS + "{folder}/{{network}}_weights_tf_dim_ordering_tf_kernels{{end}}.h5"
_XCEPTION: Row = ("xception", "0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97", 92, 83)
_INCEPTION: Row = ("inception_v3", "9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63", 95, 87)
_BOTH: Row = ("inception_resnet_v2", "e693bd0210a403b3192acc6073ad2e96", "d19885ff4a710c122648d3b5c3b684e4", 223, 217)
_RESNET: tuple[Row, ...] = (
    ("resnet50", "2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626", 103, 94),
    ("resnet101", "f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21", 179, 171),
    ("resnet152", "100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c", 242, 233),
)
_RESNET_V2: tuple[Row, ...] = (
    ("resnet50v2", "3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917", 102, 94),
    ("resnet101v2", "6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5", 179, 171),
    ("resnet152v2", "a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33", 242, 233),
)
_DENSENET: tuple[Row, ...] = (
    ("densenet121", "9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738", 32, 28),
    ("densenet169", "d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b", 57, 51),
    ("densenet201", "1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1", 81, 73),
)
_EFFICIENTNET: tuple[Row, ...] = (
    ("efficientnetb0", "902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d", 21, 16),
    ("efficientnetb1", "1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432", 31, 26),
    ("efficientnetb2", "b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39", 37, 31),
    ("efficientnetb3", "ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226", 49, 43),
    ("efficientnetb4", "18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba", 78, 71),
    ("efficientnetb5", "ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f", 122, 114),
    ("efficientnetb6", "165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743", 173, 164),
    ("efficientnetb7", "8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a", 267, 256),
)
_EFFICIENTNET_V2: tuple[Row, ...] = (
    ("efficientnetv2-b0", "21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff", 29, 24),
    ("efficientnetv2-b1", "069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37", 33, 28),
    ("efficientnetv2-b2", "424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb", 41, 35),
    ("efficientnetv2-b3", "1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856", 58, 52),
    ("efficientnetv2-s", "e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070", 86, 81),
    ("efficientnetv2-m", "a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342", 218, 213),
    ("efficientnetv2-l", "27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615", 476, 471),
)
_MOBILENET_V3: tuple[Row, ...] = (
    ("large_224_0.75", "765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e", 16, 7),
    ("large_224_1.0", "59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389", 22, 12),
    ("large_minimalistic_224_1.0", "675e7b876c45c57e9e63e6d90a36599c", "ec5221f64a2f6d1ef965a614bdae7973", 16, 6),
    ("small_224_0.75", "cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819", 8, 2),
    ("small_224_1.0", "8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836", 10, 4),
    ("small_minimalistic_224_1.0", "99cd97fb2fcdad2bf028eb838de69e37", "cde8136e733e811080d9fcd8a252f7e4", 8, 2),
)
_MOBILENET: tuple[Row, ...] = tuple(
    (f"mobilenet_{alpha}_{side}_tf", "", "", whole, less)
    for alpha, whole, less in (("1_0", 17, 13), ("7_5", 10, 7), ("5_0", 5, 3), ("2_5", 2, 1))
    for side in (224, 192, 160, 128)
)
_NASNET: tuple[Row, ...] = (
    ("NASNet-mobile", "020fb642bf7360b370c678b08e0adf61", "1ed92395b5b598bdda52abe5c0dbfd63", 21, 17),
    ("NASNet-large", "11577c9a518f0070763c2b964a382f17", "d81d89dc07e6e56530c4e77faddd61b5", 356, 340),
)

KERAS_PUBLISHED = {
    one.file: one
    for files in (
        _files((_XCEPTION,), _STANDARD.format(folder="xception"), "inception"),
        _files((_INCEPTION,), _STANDARD.format(folder="inception_v3"), "inception"),
        _files((_BOTH,), _STANDARD.format(folder="inception_resnet_v2"), "inception"),
        _files(_RESNET, _STANDARD.format(folder="resnet"), "caffe"),
        _files(_RESNET_V2, _STANDARD.format(folder="resnet"), "inception"),
        _files(_DENSENET, _STANDARD.format(folder="densenet"), "torchvision"),
        _files(_EFFICIENTNET, _RAW + "{network}{end}.h5", "raw"),
        _files(_EFFICIENTNET_V2, KERAS + "efficientnet_v2/{network}{end}.h5", "raw"),
        _files(_MOBILENET, KERAS + "mobilenet/{network}{end}.h5", "inception", ("", "_no_top")),
        _files(
            _MOBILENET_V3,
            KERAS + "mobilenet_v3/weights_mobilenet_v3_{network}_float{end}.h5",
            "raw",
            ("", "_no_top_v2"),
        ),
        _files(_NASNET, KERAS + "nasnet/{network}{end}.h5", "inception", ("", "-no-top")),
    )
    for one in files
}
"""Keras\'s published files of weights, by file name."""
