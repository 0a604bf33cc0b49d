"""The program of seed 002 after the replacements of docs/seeds.md: one convolution layer, looked at closely."""

import matplotlib.pyplot as plt
import numpy as np

import pellucid

# 데이터 생성 (그냥 흑백대비 데이터)
_X1 = np.ones([50, 25]) * 10
_X1
_X2 = np.zeros([50, 25]) * 10
_X2
np.concatenate([_X1, _X2], axis=1)
_noise = np.random.randn(50 * 50).reshape(50, 50)
_noise
XXX = np.concatenate([_X1, _X2], axis=1) + _noise
XXX = XXX.reshape(1, 50, 50, 1)
plt.imshow(XXX.reshape(50, 50), cmap="gray")

# conv layer 생성
conv = pellucid.layers.Conv2D(2, (2, 2))
conv.weights  # 처음에는 가중치가 없음
weights_before = len(conv.weights)
conv(XXX)  # 가중치를 만들기 위해서 XXX를 conv에 한번 통과시킴
conv.weights  # 이제 가중치가 생김

# 가중치의 값을 확인해보자.
conv.weights[0]  # kernel에 해당하는것
conv.weights[1]  # bias에 해당하는것

# 필터값을 원하는 것으로 변경해보자.
w0 = [[0.25, 0.25], [0.25, 0.25]]  # 잡티를 제거하는 효과를 준다.
w1 = [[-1.0, 1.0], [-1.0, 1.0]]  # 경계를 찾기 좋아보이는 필터이다. (엣지검출)
w = np.concatenate([np.array(w0).reshape(2, 2, 1, 1), np.array(w1).reshape(2, 2, 1, 1)], axis=-1)
w
b = np.array([0.0, 0.0])
b
conv.set_weights([w, b])
conv.get_weights()

# 필터를 넣은 결과를 확인
XXX0 = conv(XXX)[..., 0]  # 채널0
XXX0
XXX1 = conv(XXX)[..., 1]  # 채널1
XXX1

# 각 채널을 시각화
fig, ((ax1, ax2), (ax3, ax4)) = plt.subplots(2, 2)
ax1.imshow(XXX.reshape(50, 50), cmap="gray")
ax3.imshow(XXX0.reshape(49, 49), cmap="gray")
ax4.imshow(XXX1.reshape(49, 49), cmap="gray")
fig

# conv(XXX)의 각 채널에 한번더 conv를 통과시켜보자
conv(XXX0.reshape(1, 49, 49, 1))[..., 0]  # XXX -> 평균필터 -> 평균필터
conv(XXX0.reshape(1, 49, 49, 1))[..., 1]  # XXX -> 평균필터 -> 엣지필터
conv(XXX1.reshape(1, 49, 49, 1))[..., 0]  # XXX -> 엣지필터 -> 평균필터
conv(XXX1.reshape(1, 49, 49, 1))[..., 1]  # XXX -> 엣지필터 -> 엣지필터
fig, ax = plt.subplots(3, 4)
ax[0][0].imshow(XXX.reshape(50, 50), cmap="gray")  # 원래이미지
ax[1][0].imshow(XXX0.reshape(49, 49), cmap="gray")  # 원래이미지 -> 평균필터
ax[1][2].imshow(XXX1.reshape(49, 49), cmap="gray")  # 원래이미지 -> 엣지필터
ax[2][0].imshow(conv(XXX0.reshape(1, 49, 49, 1))[..., 0].reshape(48, 48), cmap="gray")  # 평균필터 -> 평균필터
ax[2][1].imshow(conv(XXX0.reshape(1, 49, 49, 1))[..., 1].reshape(48, 48), cmap="gray")  # 평균필터 -> 엣지필터
ax[2][2].imshow(conv(XXX1.reshape(1, 49, 49, 1))[..., 0].reshape(48, 48), cmap="gray")  # 엣지필터 -> 평균필터
ax[2][3].imshow(conv(XXX1.reshape(1, 49, 49, 1))[..., 1].reshape(48, 48), cmap="gray")  # 엣지필터 -> 엣지필터
fig.set_figheight(8)
fig.set_figwidth(16)
fig.tight_layout()
fig

# 아래와 같은 이미지의 edge를 찾아내는 (2,2) conv 필터를 설계하라.
plt.imshow(XXX.reshape(50, 50).T, cmap="gray")
