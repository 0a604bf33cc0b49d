"""The program of seed 004 after the replacements of docs/seeds.md: one MNIST picture, layer by layer."""

import matplotlib.pyplot as plt
import numpy as np

import pellucid
from pellucid import datasets

(train_x, train_y), (test_x, test_y) = datasets.mnist.load_data()

image = train_x[0]
image.shape
image = image[np.newaxis, ..., np.newaxis]  # 28x28 -> 1x28x28x1로 변환

pellucid.layers.Conv2D(filters=3, kernel_size=(3, 3), strides=(1, 1), padding="SAME", activation="relu")

image = np.asarray(image, dtype=np.float32)
image.dtype

layer = pellucid.layers.Conv2D(3, 3, 1, padding="SAME")
output = layer(image)

plt.imshow(output[0, :, :, 0], "gray")
plt.show()

np.min(image), np.max(image)
np.min(output), np.max(output)

# 5강

weight = layer.get_weights()
weight[0].shape, weight[1].shape

plt.figure(figsize=(15, 6))
plt.subplot(131)
plt.hist(output.ravel(), range=[-2, 2])
plt.ylim(0, 100)
plt.subplot(132)
plt.title(weight[0].shape)
plt.imshow(weight[0][:, :, 0, 0], "gray")
plt.subplot(133)
plt.title(output.shape)
plt.imshow(output[0, :, :, 0], "gray")
plt.colorbar()
plt.show()

# Activative Function

pellucid.layers.ReLU()  # 0미만의 값들은 다 없애버리는 함수
act_layer = pellucid.layers.ReLU()
act_output = act_layer(output)

# Pooling

pellucid.layers.MaxPool2D(pool_size=(2, 2), strides=(2, 2), padding="SAME")
pool_layer = pellucid.layers.MaxPool2D(pool_size=(2, 2), strides=(2, 2), padding="SAME")
pool_output = pool_layer(act_output)
act_output.shape
pool_output.shape

plt.figure(figsize=(15, 5))
plt.subplot(121)
plt.hist(pool_output.ravel(), range=[-2, 2])
plt.ylim(0, 100)
plt.subplot(122)
plt.title(pool_output.shape)
plt.imshow(pool_output[0, :, :, 0], "gray")
plt.colorbar()
plt.show()

# Flatten
pellucid.layers.Flatten()
layer_of_page = pellucid.layers.Flatten()
output.shape
flatten_of_page = layer_of_page(output)  # the page flattens the convolution's output: 2,352 values
layer = pellucid.layers.Flatten()
flatten = layer(pool_output)  # mended: what ReLU and pooling left, 588 values
flatten.shape

# Dense
pellucid.layers.Dense(32, activation="relu")

layer = pellucid.layers.Dense(32, activation="relu")
output = layer(flatten)
output.shape
