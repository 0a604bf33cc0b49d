"""Every layer by its name, a line each; below, the long names that Keras has for some. `pellucid` gives all of them."""

from pellucid.layers.activation import ELU as ELU
from pellucid.layers.activation import Activation as Activation
from pellucid.layers.activation import LeakyReLU as LeakyReLU
from pellucid.layers.activation import PReLU as PReLU
from pellucid.layers.activation import ReLU as ReLU
from pellucid.layers.activation import ScaledTanh as ScaledTanh
from pellucid.layers.activation import Sigmoid as Sigmoid
from pellucid.layers.activation import Softmax as Softmax
from pellucid.layers.activation import Tanh as Tanh
from pellucid.layers.adaptive import AdaptiveAvgPool1D as AdaptiveAvgPool1D
from pellucid.layers.adaptive import AdaptiveAvgPool2D as AdaptiveAvgPool2D
from pellucid.layers.adaptive import AdaptiveMaxPool1D as AdaptiveMaxPool1D
from pellucid.layers.adaptive import AdaptiveMaxPool2D as AdaptiveMaxPool2D
from pellucid.layers.attention import AdditiveAttention as AdditiveAttention
from pellucid.layers.attention import Attention as Attention
from pellucid.layers.border import Cropping2D as Cropping2D
from pellucid.layers.border import Padding2D as Padding2D
from pellucid.layers.border import UpSampling2D as UpSampling2D
from pellucid.layers.border import ZeroPadding2D as ZeroPadding2D
from pellucid.layers.conv import Conv1D as Conv1D
from pellucid.layers.conv import Conv2D as Conv2D
from pellucid.layers.dense import Dense as Dense
from pellucid.layers.depthwise import DepthwiseConv1D as DepthwiseConv1D
from pellucid.layers.depthwise import DepthwiseConv2D as DepthwiseConv2D
from pellucid.layers.depthwise import SeparableConv1D as SeparableConv1D
from pellucid.layers.depthwise import SeparableConv2D as SeparableConv2D
from pellucid.layers.dropout import AlphaDropout as AlphaDropout
from pellucid.layers.dropout import Dropout as Dropout
from pellucid.layers.dropout import GaussianNoise as GaussianNoise
from pellucid.layers.dropout import SpatialDropout1D as SpatialDropout1D
from pellucid.layers.dropout import SpatialDropout2D as SpatialDropout2D
from pellucid.layers.dropout import StochasticDepth as StochasticDepth
from pellucid.layers.einsum_dense import EinsumDense as EinsumDense
from pellucid.layers.embedding import Embedding as Embedding
from pellucid.layers.gated import GRU as GRU
from pellucid.layers.gated import LSTM as LSTM
from pellucid.layers.length import Dot as Dot
from pellucid.layers.length import RMSNorm as RMSNorm
from pellucid.layers.length import UnitNormalization as UnitNormalization
from pellucid.layers.masking import Masking as Masking
from pellucid.layers.masking import StepMask as StepMask
from pellucid.layers.masking import StepWeights as StepWeights
from pellucid.layers.merge import Add as Add
from pellucid.layers.merge import Average as Average
from pellucid.layers.merge import Concatenate as Concatenate
from pellucid.layers.merge import Maximum as Maximum
from pellucid.layers.merge import Minimum as Minimum
from pellucid.layers.merge import Multiply as Multiply
from pellucid.layers.merge import Subtract as Subtract
from pellucid.layers.multi_head import MultiHeadAttention as MultiHeadAttention
from pellucid.layers.normalization import BatchNorm as BatchNorm
from pellucid.layers.normalization import GroupNorm as GroupNorm
from pellucid.layers.normalization import LayerNorm as LayerNorm
from pellucid.layers.normalization import LocalResponseNorm as LocalResponseNorm
from pellucid.layers.pool import AvgPool1D as AvgPool1D
from pellucid.layers.pool import AvgPool2D as AvgPool2D
from pellucid.layers.pool import GlobalAvgPool1D as GlobalAvgPool1D
from pellucid.layers.pool import GlobalAvgPool2D as GlobalAvgPool2D
from pellucid.layers.pool import GlobalMaxPool1D as GlobalMaxPool1D
from pellucid.layers.pool import GlobalMaxPool2D as GlobalMaxPool2D
from pellucid.layers.pool import MaxPool1D as MaxPool1D
from pellucid.layers.pool import MaxPool2D as MaxPool2D
from pellucid.layers.power import Power as Power
from pellucid.layers.radial import RBF as RBF
from pellucid.layers.random_pictures import RandomBrightness as RandomBrightness
from pellucid.layers.random_pictures import RandomContrast as RandomContrast
from pellucid.layers.random_pictures import RandomCrop as RandomCrop
from pellucid.layers.random_pictures import RandomFlip as RandomFlip
from pellucid.layers.random_pictures import RandomRotation as RandomRotation
from pellucid.layers.random_pictures import RandomTranslation as RandomTranslation
from pellucid.layers.random_pictures import RandomZoom as RandomZoom
from pellucid.layers.recurrent import SimpleRNN as SimpleRNN
from pellucid.layers.rescaling import CenterCrop as CenterCrop
from pellucid.layers.rescaling import Normalization as Normalization
from pellucid.layers.rescaling import Rescaling as Rescaling
from pellucid.layers.rescaling import Resizing as Resizing
from pellucid.layers.series import Cropping1D as Cropping1D
from pellucid.layers.series import UpSampling1D as UpSampling1D
from pellucid.layers.series import ZeroPadding1D as ZeroPadding1D
from pellucid.layers.shape import Flatten as Flatten
from pellucid.layers.shape import Identity as Identity
from pellucid.layers.shape import Input as Input
from pellucid.layers.shape import Permute as Permute
from pellucid.layers.shape import RepeatVector as RepeatVector
from pellucid.layers.shape import Reshape as Reshape
from pellucid.layers.shape import Slice as Slice
from pellucid.layers.shape import SliceRest as SliceRest
from pellucid.layers.subsampling import Subsampling2D as Subsampling2D
from pellucid.layers.table_conv import TableConv2D as TableConv2D
from pellucid.layers.transpose import Conv1DTranspose as Conv1DTranspose
from pellucid.layers.transpose import Conv2DTranspose as Conv2DTranspose
from pellucid.layers.wrapper import Bidirectional as Bidirectional
from pellucid.layers.wrapper import TimeDistributed as TimeDistributed

AdaptiveAveragePooling1D = AdaptiveAvgPool1D
AdaptiveAveragePooling2D = AdaptiveAvgPool2D
AdaptiveMaxPooling1D = AdaptiveMaxPool1D
AdaptiveMaxPooling2D = AdaptiveMaxPool2D
AveragePooling1D = AvgPool1D
AveragePooling2D = AvgPool2D
BatchNormalization = BatchNorm
Convolution1D = Conv1D
Convolution1DTranspose = Conv1DTranspose
Convolution2D = Conv2D
Convolution2DTranspose = Conv2DTranspose
GlobalAveragePooling1D = GlobalAvgPool1D
GlobalAveragePooling2D = GlobalAvgPool2D
GlobalMaxPooling1D = GlobalMaxPool1D
GlobalMaxPooling2D = GlobalMaxPool2D
GroupNormalization = GroupNorm
InputLayer = Input
LayerNormalization = LayerNorm
MaxPooling1D = MaxPool1D
MaxPooling2D = MaxPool2D
RMSNormalization = RMSNorm
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
