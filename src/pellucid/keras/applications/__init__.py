"""Keras's applications: networks as Keras describes them, a module for each family as Keras has it."""

from __future__ import annotations

from pellucid._modules import listed as _listed
from pellucid.keras.applications import imagenet_utils as imagenet_utils
from pellucid.keras.applications import resnet50 as resnet50
from pellucid.keras.applications.densenet import DenseNet121 as DenseNet121
from pellucid.keras.applications.densenet import DenseNet169 as DenseNet169
from pellucid.keras.applications.densenet import DenseNet201 as DenseNet201
from pellucid.keras.applications.efficientnet import EfficientNetB0 as EfficientNetB0
from pellucid.keras.applications.efficientnet import EfficientNetB1 as EfficientNetB1
from pellucid.keras.applications.efficientnet import EfficientNetB2 as EfficientNetB2
from pellucid.keras.applications.efficientnet import EfficientNetB3 as EfficientNetB3
from pellucid.keras.applications.efficientnet import EfficientNetB4 as EfficientNetB4
from pellucid.keras.applications.efficientnet import EfficientNetB5 as EfficientNetB5
from pellucid.keras.applications.efficientnet import EfficientNetB6 as EfficientNetB6
from pellucid.keras.applications.efficientnet import EfficientNetB7 as EfficientNetB7
from pellucid.keras.applications.efficientnet_v2 import EfficientNetV2B0 as EfficientNetV2B0
from pellucid.keras.applications.efficientnet_v2 import EfficientNetV2B1 as EfficientNetV2B1
from pellucid.keras.applications.efficientnet_v2 import EfficientNetV2B2 as EfficientNetV2B2
from pellucid.keras.applications.efficientnet_v2 import EfficientNetV2B3 as EfficientNetV2B3
from pellucid.keras.applications.efficientnet_v2 import EfficientNetV2L as EfficientNetV2L
from pellucid.keras.applications.efficientnet_v2 import EfficientNetV2M as EfficientNetV2M
from pellucid.keras.applications.efficientnet_v2 import EfficientNetV2S as EfficientNetV2S
from pellucid.keras.applications.inception_resnet_v2 import InceptionResNetV2 as InceptionResNetV2
from pellucid.keras.applications.inception_v3 import InceptionV3 as InceptionV3
from pellucid.keras.applications.mobilenet import MobileNet as MobileNet
from pellucid.keras.applications.mobilenet_v2 import MobileNetV2 as MobileNetV2
from pellucid.keras.applications.mobilenet_v3 import MobileNetV3Large as MobileNetV3Large
from pellucid.keras.applications.mobilenet_v3 import MobileNetV3Small as MobileNetV3Small
from pellucid.keras.applications.nasnet import NASNetLarge as NASNetLarge
from pellucid.keras.applications.nasnet import NASNetMobile as NASNetMobile
from pellucid.keras.applications.resnet import ResNet50 as ResNet50
from pellucid.keras.applications.resnet import ResNet101 as ResNet101
from pellucid.keras.applications.resnet import ResNet152 as ResNet152
from pellucid.keras.applications.resnet_v2 import ResNet50V2 as ResNet50V2
from pellucid.keras.applications.resnet_v2 import ResNet101V2 as ResNet101V2
from pellucid.keras.applications.resnet_v2 import ResNet152V2 as ResNet152V2
from pellucid.keras.applications.vgg16 import VGG16 as VGG16
from pellucid.keras.applications.vgg19 import VGG19 as VGG19
from pellucid.keras.applications.xception import Xception as Xception

__all__ = _listed(globals())
