// What the kernels of convolution are given; runtime/arguments.hpp says how such lists are read.
#pragma once

#define PELLUCID_CONV_SIZES(SIZE)                                                                                     \
    SIZE(N) SIZE(H) SIZE(W) SIZE(C) SIZE(OH) SIZE(OW) SIZE(O) SIZE(KH) SIZE(KW) SIZE(SH) SIZE(SW) SIZE(DH) SIZE(DW)   \
    SIZE(TOP) SIZE(LEFT) SIZE(GROUPS)
// scale: of each filter, in use that of the batch norm behind it.
#define PELLUCID_CONV2D(ARRAY, SIZE, REAL)                                                                            \
    ARRAY(const float, x, N * H * W * C) ARRAY(const float, kernel, KH * KW * (C / GROUPS) * O)                       \
    ARRAY(const float, bias, maybe(O)) ARRAY(float, y, N * OH * OW * O)                                               \
    ARRAY(const float, addend, maybe(N * OH * OW * O)) ARRAY(const float, scale, maybe(O))                            \
    PELLUCID_CONV_SIZES(SIZE) SIZE(ALGORITHM)                                                                         \
    PELLUCID_NONLINEAR(SIZE, REAL)
// bias, activation: of a transposed convolution, whose result dx is.
#define PELLUCID_CONV2D_BACKWARD_INPUT(ARRAY, SIZE, REAL)                                                             \
    ARRAY(const float, dy, N * OH * OW * O) ARRAY(const float, kernel, KH * KW * (C / GROUPS) * O)                    \
    ARRAY(float, dx, N * H * W * C) ARRAY(const float, addend, maybe(N * H * W * C))                                  \
    ARRAY(const float, bias, maybe(C)) PELLUCID_CONV_SIZES(SIZE) SIZE(ALGORITHM) PELLUCID_NONLINEAR(SIZE, REAL)
#define PELLUCID_CONV2D_BACKWARD_KERNEL(ARRAY, SIZE, REAL)                                                            \
    ARRAY(const float, x, N * H * W * C) ARRAY(const float, dy, N * OH * OW * O)                                      \
    ARRAY(float, dkernel, KH * KW * (C / GROUPS) * O) PELLUCID_CONV_SIZES(SIZE) SIZE(ALGORITHM)
// QH, QW: pooled rows and columns; PSH ... PLEFT: strides and padding of the pooling, POOL: 0 max, 1 average.
#define PELLUCID_WINDOW_SIZES(SIZE)                                                                                   \
    SIZE(QH) SIZE(QW) SIZE(PH) SIZE(PW) SIZE(PSH) SIZE(PSW) SIZE(PTOP) SIZE(PLEFT)
#define PELLUCID_CONV2D_POOL(ARRAY, SIZE, REAL)                                                                       \
    ARRAY(const float, x, N * H * W * C) ARRAY(const float, kernel, KH * KW * (C / GROUPS) * O)                       \
    ARRAY(const float, bias, maybe(O)) ARRAY(float, y, N * QH * QW * O)                                               \
    ARRAY(uint8_t, argmax, maybe(N * QH * QW * O)) PELLUCID_CONV_SIZES(SIZE) PELLUCID_WINDOW_SIZES(SIZE) SIZE(POOL)   \
    SIZE(ALGORITHM) PELLUCID_NONLINEAR(SIZE, REAL)
#define PELLUCID_CONV2D_POOL_BACKWARD_KERNEL(ARRAY, SIZE, REAL)                                                       \
    ARRAY(const float, x, N * H * W * C) ARRAY(const float, dy, N * QH * QW * O)                                      \
    ARRAY(const float, y, N * QH * QW * O) ARRAY(const uint8_t, argmax, N * QH * QW * O)                              \
    ARRAY(float, dkernel, KH * KW * (C / GROUPS) * O) ARRAY(float, dbias, maybe(O)) PELLUCID_CONV_SIZES(SIZE)         \
    PELLUCID_WINDOW_SIZES(SIZE) SIZE(ALGORITHM) PELLUCID_NONLINEAR(SIZE, REAL)
#define PELLUCID_CONV2D_POOL_BACKWARD_INPUT(ARRAY, SIZE, REAL)                                                        \
    ARRAY(const float, dy, N * QH * QW * O) ARRAY(const float, y, N * QH * QW * O)                                    \
    ARRAY(const uint8_t, argmax, N * QH * QW * O) ARRAY(const float, kernel, KH * KW * (C / GROUPS) * O)              \
    ARRAY(float, dx, N * H * W * C) PELLUCID_CONV_SIZES(SIZE) PELLUCID_WINDOW_SIZES(SIZE) SIZE(ALGORITHM)             \
    PELLUCID_NONLINEAR(SIZE, REAL)
// Average pooling whose map is kept as planes (N, O, OH, OW), for the gradient.
#define PELLUCID_CONV2D_POOL_MAP(ARRAY, SIZE, REAL)                                                                   \
    ARRAY(const float, x, N * H * W * C) ARRAY(const float, kernel, KH * KW * (C / GROUPS) * O)                       \
    ARRAY(const float, bias, maybe(O)) ARRAY(float, y, N * QH * QW * O) ARRAY(float, map, N * O * OH * OW)            \
    PELLUCID_CONV_SIZES(SIZE) PELLUCID_WINDOW_SIZES(SIZE) PELLUCID_NONLINEAR(SIZE, REAL)
#define PELLUCID_CONV2D_POOL_MAP_BACKWARD_KERNEL(ARRAY, SIZE, REAL)                                                   \
    ARRAY(const float, x, N * H * W * C) ARRAY(const float, dy, N * QH * QW * O)                                      \
    ARRAY(const float, map, N * O * OH * OW) ARRAY(float, dkernel, KH * KW * (C / GROUPS) * O)                        \
    ARRAY(float, dbias, maybe(O)) PELLUCID_CONV_SIZES(SIZE) PELLUCID_WINDOW_SIZES(SIZE) PELLUCID_NONLINEAR(SIZE, REAL)
// Between two batch norms: x_gamma .. x_variance and the activation belong to the one in front of it, which is applied
// as x is read, with what is added to it; the result is kept where x_y is there. y is what the one behind it reads.
#define PELLUCID_CONV2D_NORM(ARRAY, SIZE, REAL)                                                                       \
    ARRAY(const float, x, N * H * W * C) ARRAY(const float, kernel, KH * KW * (C / GROUPS) * O)                       \
    ARRAY(float, y, N * OH * OW * O) ARRAY(float, mean, maybe(O)) ARRAY(float, variance, maybe(O))                    \
    ARRAY(const float, x_gamma, maybe(C)) ARRAY(const float, x_beta, maybe(C)) ARRAY(const float, x_mean, maybe(C))   \
    ARRAY(const float, x_variance, maybe(C)) ARRAY(const float, x_addend, maybe(N * H * W * C))                       \
    ARRAY(float, x_y, maybe(N * H * W * C)) PELLUCID_CONV_SIZES(SIZE) SIZE(ALGORITHM) PELLUCID_NONLINEAR(SIZE, REAL)  \
    REAL(x_epsilon)
// dy: of the result of the batch norm behind, whose own gradients are dgamma and dbeta; without y, of the convolution's.
#define PELLUCID_CONV2D_NORM_BACKWARD(ARRAY, SIZE, REAL)                                                              \
    ARRAY(const float, dy, N * OH * OW * O) ARRAY(const float, x, N * H * W * C)                                      \
    ARRAY(const float, kernel, KH * KW * (C / GROUPS) * O) ARRAY(float, dkernel, maybe(KH * KW * (C / GROUPS) * O))   \
    ARRAY(float, dx, maybe(N * H * W * C)) ARRAY(const float, addend, maybe(N * H * W * C))                           \
    ARRAY(const float, y, maybe(N * OH * OW * O))                                                                     \
    ARRAY(const float, gamma, maybe(O)) ARRAY(const float, mean, maybe(O)) ARRAY(const float, variance, maybe(O))     \
    ARRAY(const float, dgamma, maybe(O)) ARRAY(const float, dbeta, maybe(O)) ARRAY(const float, x_gamma, maybe(C))    \
    ARRAY(const float, x_beta, maybe(C)) ARRAY(const float, x_mean, maybe(C)) ARRAY(const float, x_variance, maybe(C)) \
    ARRAY(const float, x_y, maybe(N * H * W * C)) ARRAY(float, x_dgamma, maybe(C)) ARRAY(float, x_dbeta, maybe(C))    \
    PELLUCID_CONV_SIZES(SIZE) SIZE(ALGORITHM) PELLUCID_NONLINEAR(SIZE, REAL) REAL(epsilon) REAL(x_epsilon)
// The same of a depthwise convolution, and of the one 1x1 (expand) that made x of `input`.
#define PELLUCID_EXPANDED_CONV2D_NORM_BACKWARD(ARRAY, SIZE, REAL)                                                     \
    ARRAY(const float, dy, N * OH * OW * O) ARRAY(const float, x, N * H * W * C)                                      \
    ARRAY(const float, kernel, KH * KW * (C / GROUPS) * O) ARRAY(float, dkernel, KH * KW * (C / GROUPS) * O)          \
    ARRAY(const float, input, N * H * W * I) ARRAY(const float, expand, I * C) ARRAY(float, dexpand, I * C)           \
    ARRAY(float, dinput, N * H * W * I) ARRAY(const float, addend, maybe(N * H * W * I))                              \
    ARRAY(const float, y, N * OH * OW * O) ARRAY(const float, gamma, O) ARRAY(const float, mean, O)                   \
    ARRAY(const float, variance, O) ARRAY(const float, dgamma, O) ARRAY(const float, dbeta, O)                        \
    ARRAY(const float, x_gamma, C) ARRAY(const float, x_beta, C) ARRAY(const float, x_mean, C)                        \
    ARRAY(const float, x_variance, C) ARRAY(float, x_dgamma, C) ARRAY(float, x_dbeta, C) SIZE(I)                      \
    PELLUCID_CONV_SIZES(SIZE) PELLUCID_NONLINEAR(SIZE, REAL) REAL(epsilon) REAL(x_epsilon)
// A block in use (Sandler et al. 2018): 1x1 from I to C channels, where `expand` is there, each of them by itself, the
// activation behind both, and 1x1 to O. Scales: of the filters 1x1.
#define PELLUCID_INVERTED_RESIDUAL(ARRAY, SIZE, REAL)                                                                 \
    ARRAY(const float, x, N * H * W * I) ARRAY(const float, expand, maybe(I * C))                                     \
    ARRAY(const float, expand_bias, maybe(C)) ARRAY(const float, kernel, KH * KW * C)                                 \
    ARRAY(const float, bias, maybe(C)) ARRAY(const float, project, C * O) ARRAY(const float, project_bias, maybe(O))  \
    ARRAY(float, y, N * OH * OW * O) ARRAY(const float, addend, maybe(N * OH * OW * O))                               \
    ARRAY(const float, expand_scale, maybe(C)) ARRAY(const float, project_scale, maybe(O)) SIZE(I)                    \
    PELLUCID_CONV_SIZES(SIZE) PELLUCID_NONLINEAR(SIZE, REAL)
