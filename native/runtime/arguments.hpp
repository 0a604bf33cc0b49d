// What every kernel is given: one struct a kernel, each field 8 bytes (a pointer, an int64_t or a double).
//
// A struct is declared once, as a list of ARRAY(type, name, extent), SIZE(name) and REAL(name). An ARRAY that is not
// const is written; its extent says how many entries a kernel uses of it, by the sizes, and with `maybe(extent)` it may
// be null. The field N is always the number of examples; a program may run any kernel with a smaller N than it was
// built for. Letters are those of the Python docstrings. Here the list becomes the C++ struct, in runtime/registry.cpp
// the table that Python fills fields by; runtime/checks.cpp says what sizes may be,
// runtime/choices.hpp what those are that hold a word.
#pragma once
#include <cstddef>
#include <cstdint>

#include "runtime/choices.hpp"
#include "runtime/convolution_arguments.hpp"

// An activation, and what it takes beside the number (common/activation.hpp).
#define PELLUCID_NONLINEAR(SIZE, REAL) SIZE(ACTIVATION) REAL(slope) REAL(threshold) REAL(ceiling)
#define PELLUCID_POOL_SIZES(SIZE)                                                                                     \
    SIZE(N) SIZE(H) SIZE(W) SIZE(C) SIZE(OH) SIZE(OW) SIZE(PH) SIZE(PW) SIZE(SH) SIZE(SW) SIZE(TOP) SIZE(LEFT)
// What a mean counts of the padding around the picture.
#define PELLUCID_COUNTED_SIZES(SIZE) SIZE(COUNTED_TOP) SIZE(COUNTED_BOTTOM) SIZE(COUNTED_LEFT) SIZE(COUNTED_RIGHT)

#define PELLUCID_BIAS_BACKWARD(ARRAY, SIZE, REAL)                                                                     \
    ARRAY(const float, dy, N * INNER * C) ARRAY(float, dbias, C) SIZE(N) SIZE(INNER) SIZE(C)

#define PELLUCID_DENSE(ARRAY, SIZE, REAL)                                                                             \
    ARRAY(const float, x, N * INPUTS) ARRAY(const float, kernel, INPUTS * UNITS)                                      \
    ARRAY(const float, bias, maybe(UNITS)) ARRAY(float, y, N * UNITS) SIZE(N) SIZE(INPUTS) SIZE(UNITS)                \
    PELLUCID_NONLINEAR(SIZE, REAL)
#define PELLUCID_DENSE_BACKWARD_INPUT(ARRAY, SIZE, REAL)                                                              \
    ARRAY(const float, dy, N * UNITS) ARRAY(const float, kernel, INPUTS * UNITS) ARRAY(float, dx, N * INPUTS)         \
    SIZE(N) SIZE(INPUTS) SIZE(UNITS)
#define PELLUCID_DENSE_BACKWARD_KERNEL(ARRAY, SIZE, REAL)                                                             \
    ARRAY(const float, x, N * INPUTS) ARRAY(const float, dy, N * UNITS) ARRAY(float, dkernel, INPUTS * UNITS)         \
    SIZE(N) SIZE(INPUTS) SIZE(UNITS)

#define PELLUCID_MAX_POOL2D(ARRAY, SIZE, REAL)                                                                        \
    ARRAY(const float, x, N * H * W * C) ARRAY(float, y, N * OH * OW * C) ARRAY(uint8_t, argmax, N * OH * OW * C)     \
    PELLUCID_POOL_SIZES(SIZE)
#define PELLUCID_MAX_POOL2D_BACKWARD(ARRAY, SIZE, REAL)                                                               \
    ARRAY(const float, dy, N * OH * OW * C) ARRAY(const uint8_t, argmax, N * OH * OW * C)                             \
    ARRAY(float, dx, N * H * W * C) PELLUCID_POOL_SIZES(SIZE)
#define PELLUCID_AVG_POOL2D(ARRAY, SIZE, REAL)                                                                        \
    ARRAY(const float, x, N * H * W * C) ARRAY(float, y, N * OH * OW * C) PELLUCID_POOL_SIZES(SIZE)                   \
    PELLUCID_COUNTED_SIZES(SIZE)
// y: the map that was pooled, where an activation gave it, or null; dbias: sum of dx over all pixels, or null.
#define PELLUCID_AVG_POOL2D_BACKWARD(ARRAY, SIZE, REAL)                                                               \
    ARRAY(const float, dy, N * OH * OW * C) ARRAY(const float, y, maybe(N * H * W * C))                               \
    ARRAY(float, dx, N * H * W * C) ARRAY(float, dbias, maybe(C)) PELLUCID_POOL_SIZES(SIZE)                           \
    PELLUCID_COUNTED_SIZES(SIZE) PELLUCID_NONLINEAR(SIZE, REAL)
#define PELLUCID_GLOBAL_AVG_POOL2D(ARRAY, SIZE, REAL)                                                                 \
    ARRAY(const float, x, N * INNER * C) ARRAY(float, y, N * C) SIZE(N) SIZE(INNER) SIZE(C)
#define PELLUCID_GLOBAL_AVG_POOL2D_BACKWARD(ARRAY, SIZE, REAL)                                                        \
    ARRAY(const float, dy, N * C) ARRAY(float, dx, N * INNER * C) SIZE(N) SIZE(INNER) SIZE(C)
#define PELLUCID_GLOBAL_MAX_POOL2D(ARRAY, SIZE, REAL)                                                                 \
    ARRAY(const float, x, N * INNER * C) ARRAY(float, y, N * C) ARRAY(int32_t, argmax, N * C) SIZE(N) SIZE(INNER)     \
    SIZE(C)
#define PELLUCID_GLOBAL_MAX_POOL2D_BACKWARD(ARRAY, SIZE, REAL)                                                        \
    ARRAY(const float, dy, N * C) ARRAY(const int32_t, argmax, N * C) ARRAY(float, dx, N * INNER * C) SIZE(N)         \
    SIZE(INNER) SIZE(C)
#define PELLUCID_UPSAMPLE2D(ARRAY, SIZE, REAL)                                                                        \
    ARRAY(const float, x, N * H * W * C) ARRAY(float, y, N * OH * OW * C) SIZE(N) SIZE(H) SIZE(W) SIZE(C) SIZE(OH)    \
    SIZE(OW) SIZE(SH) SIZE(SW) SIZE(INTERPOLATION)
#define PELLUCID_UPSAMPLE2D_BACKWARD(ARRAY, SIZE, REAL)                                                               \
    ARRAY(const float, dy, N * OH * OW * C) ARRAY(float, dx, N * H * W * C) SIZE(N) SIZE(H) SIZE(W) SIZE(C) SIZE(OH)  \
    SIZE(OW) SIZE(SH) SIZE(SW) SIZE(INTERPOLATION)
#define PELLUCID_PAD2D(ARRAY, SIZE, REAL)                                                                             \
    ARRAY(const float, x, N * H * W * C) ARRAY(float, y, N * OH * OW * C) SIZE(N) SIZE(H) SIZE(W) SIZE(C) SIZE(OH)    \
    SIZE(OW) SIZE(TOP) SIZE(LEFT) SIZE(BORDER)
#define PELLUCID_PAD2D_BACKWARD(ARRAY, SIZE, REAL)                                                                    \
    ARRAY(const float, dy, N * OH * OW * C) ARRAY(float, dx, N * H * W * C) SIZE(N) SIZE(H) SIZE(W) SIZE(C) SIZE(OH)  \
    SIZE(OW) SIZE(TOP) SIZE(LEFT) SIZE(BORDER)

#define PELLUCID_ACTIVATION(ARRAY, SIZE, REAL)                                                                        \
    ARRAY(const float, x, N * INNER) ARRAY(float, y, N * INNER) SIZE(N) SIZE(INNER) PELLUCID_NONLINEAR(SIZE, REAL)
#define PELLUCID_ACTIVATION_BACKWARD(ARRAY, SIZE, REAL)                                                               \
    ARRAY(const float, dy, N * INNER) ARRAY(const float, y, N * INNER) ARRAY(float, dx, N * INNER) SIZE(N)            \
    SIZE(INNER) PELLUCID_NONLINEAR(SIZE, REAL)
// One slope for each of OUTER * C, alike for all SHARED and INNER.
#define PELLUCID_PRELU(ARRAY, SIZE, REAL)                                                                             \
    ARRAY(const float, x, N * SHARED * OUTER * INNER * C) ARRAY(const float, alpha, OUTER * C)                        \
    ARRAY(float, y, N * SHARED * OUTER * INNER * C) SIZE(N) SIZE(SHARED) SIZE(OUTER) SIZE(INNER) SIZE(C)
#define PELLUCID_PRELU_BACKWARD(ARRAY, SIZE, REAL)                                                                    \
    ARRAY(const float, dy, N * SHARED * OUTER * INNER * C) ARRAY(const float, x, N * SHARED * OUTER * INNER * C)      \
    ARRAY(const float, alpha, OUTER * C) ARRAY(float, dx, maybe(N * SHARED * OUTER * INNER * C))                      \
    ARRAY(float, dalpha, maybe(OUTER * C)) SIZE(N) SIZE(SHARED) SIZE(OUTER) SIZE(INNER) SIZE(C)
// A factor for each channel of INNER pixels; of arrays that are alike, INNER is 1.
#define PELLUCID_MULTIPLY(ARRAY, SIZE, REAL)                                                                          \
    ARRAY(const float, x, N * OUTER * INNER * C) ARRAY(const float, factor, N * OUTER * C)                            \
    ARRAY(float, y, N * OUTER * INNER * C) SIZE(N) SIZE(OUTER) SIZE(INNER) SIZE(C)
#define PELLUCID_MULTIPLY_BACKWARD(ARRAY, SIZE, REAL)                                                                 \
    ARRAY(const float, dy, N * OUTER * INNER * C) ARRAY(const float, x, N * OUTER * INNER * C)                        \
    ARRAY(const float, factor, N * OUTER * C) ARRAY(float, dx, maybe(N * OUTER * INNER * C))                          \
    ARRAY(float, dfactor, maybe(N * OUTER * C)) SIZE(N) SIZE(OUTER) SIZE(INNER) SIZE(C)
#define PELLUCID_SOFTMAX(ARRAY, SIZE, REAL)                                                                           \
    ARRAY(const float, x, N * INNER * K) ARRAY(float, y, N * INNER * K) SIZE(N) SIZE(INNER) SIZE(K)
#define PELLUCID_SOFTMAX_BACKWARD(ARRAY, SIZE, REAL)                                                                  \
    ARRAY(const float, dy, N * INNER * K) ARRAY(const float, y, N * INNER * K) ARRAY(float, dx, N * INNER * K)        \
    SIZE(N) SIZE(INNER) SIZE(K)
// INNER: pixels of an example, each with a label, of which those with the label IGNORED are not counted.
#define PELLUCID_SOFTMAX_CROSS_ENTROPY(ARRAY, SIZE, REAL)                                                             \
    ARRAY(const float, logits, N * INNER * K) ARRAY(const int32_t, labels, maybe(N * INNER))                          \
    ARRAY(const float, targets, maybe(N * INNER * K)) ARRAY(const float, weights, maybe(N)) ARRAY(float, losses, N)   \
    ARRAY(float, hits, maybe(N)) ARRAY(float, dlogits, maybe(N * INNER * K))                                          \
    ARRAY(const float, class_weights, maybe(K)) ARRAY(int32_t, answers, maybe(N * INNER)) SIZE(N) SIZE(INNER) SIZE(K) \
    SIZE(IGNORED) REAL(label_smoothing)
// counts: of each class the pixels where it is label and answer, label, and answer.
#define PELLUCID_COUNT_CLASSES(ARRAY, SIZE, REAL)                                                                     \
    ARRAY(const int32_t, labels, N * INNER) ARRAY(const int32_t, answers, N * INNER) ARRAY(double, counts, 3 * K)     \
    SIZE(N) SIZE(INNER) SIZE(K) SIZE(IGNORED)
#define PELLUCID_ELEMENTWISE_LOSS(ARRAY, SIZE, REAL)                                                                  \
    ARRAY(const float, prediction, N * INNER) ARRAY(const float, targets, N * INNER)                                  \
    ARRAY(const float, weights, maybe(N)) ARRAY(float, losses, N) ARRAY(float, hits, maybe(N))                        \
    ARRAY(float, dprediction, maybe(N * INNER)) SIZE(N) SIZE(INNER) SIZE(LOSS) SIZE(ACCURACY) REAL(label_smoothing)
#define PELLUCID_ACCUMULATE(ARRAY, SIZE, REAL)                                                                        \
    ARRAY(const float, losses, N) ARRAY(const float, hits, maybe(N)) ARRAY(const float, weights, maybe(N))            \
    ARRAY(double, totals, 3) SIZE(N)
#define PELLUCID_STOP_UNLESS_FINITE(ARRAY, SIZE, REAL) ARRAY(const double, x, COUNT) SIZE(COUNT)

#define PELLUCID_DROPOUT(ARRAY, SIZE, REAL)                                                                           \
    ARRAY(const float, x, N * INNER) ARRAY(float, y, N * INNER) ARRAY(const uint32_t, counter, 2) SIZE(N)             \
    SIZE(INNER) SIZE(LAYER) REAL(rate)
#define PELLUCID_SPATIAL_DROPOUT(ARRAY, SIZE, REAL)                                                                   \
    ARRAY(const float, x, N * INNER * C) ARRAY(float, y, N * INNER * C) ARRAY(const uint32_t, counter, 2) SIZE(N)     \
    SIZE(INNER) SIZE(C) SIZE(LAYER) REAL(rate)
#define PELLUCID_GAUSSIAN_NOISE(ARRAY, SIZE, REAL)                                                                    \
    ARRAY(const float, x, N * INNER) ARRAY(float, y, N * INNER) ARRAY(const uint32_t, counter, 2) SIZE(N)             \
    SIZE(INNER) SIZE(LAYER) REAL(stddev)
#define PELLUCID_LOCAL_RESPONSE_NORM(ARRAY, SIZE, REAL)                                                               \
    ARRAY(const float, x, N * INNER * C) ARRAY(float, y, N * INNER * C) ARRAY(float, scale, N * INNER * C) SIZE(N)    \
    SIZE(INNER) SIZE(C) SIZE(WINDOW) REAL(alpha) REAL(beta) REAL(k)
#define PELLUCID_LOCAL_RESPONSE_NORM_BACKWARD(ARRAY, SIZE, REAL)                                                      \
    ARRAY(const float, dy, N * INNER * C) ARRAY(const float, x, N * INNER * C) ARRAY(const float, y, N * INNER * C)   \
    ARRAY(const float, scale, N * INNER * C) ARRAY(float, dx, N * INNER * C) SIZE(N) SIZE(INNER) SIZE(C)              \
    SIZE(WINDOW) REAL(alpha) REAL(beta)
// y: absent where mean and variance are all that is wanted.
#define PELLUCID_BATCH_NORM(ARRAY, SIZE, REAL)                                                                        \
    ARRAY(const float, x, N * INNER * C) ARRAY(const float, gamma, C) ARRAY(const float, beta, C)                     \
    ARRAY(float, y, maybe(N * INNER * C)) ARRAY(float, mean, C) ARRAY(float, variance, C)                             \
    ARRAY(const float, addend, maybe(N * INNER * C)) SIZE(N) SIZE(INNER) SIZE(C) PELLUCID_NONLINEAR(SIZE, REAL)       \
    REAL(epsilon)
#define PELLUCID_BATCH_NORM_INFERENCE(ARRAY, SIZE, REAL)                                                              \
    ARRAY(const float, x, N * INNER * C) ARRAY(const float, gamma, C) ARRAY(const float, beta, C)                     \
    ARRAY(const float, mean, C) ARRAY(const float, variance, C) ARRAY(float, y, N * INNER * C)                        \
    ARRAY(const float, addend, maybe(N * INNER * C)) SIZE(N) SIZE(INNER) SIZE(C) PELLUCID_NONLINEAR(SIZE, REAL)       \
    REAL(epsilon)
// beta: where there is an activation and no y to know it by; daddend: the gradient of what was added.
#define PELLUCID_BATCH_NORM_BACKWARD(ARRAY, SIZE, REAL)                                                               \
    ARRAY(const float, dy, N * INNER * C) ARRAY(const float, x, N * INNER * C) ARRAY(const float, gamma, C)           \
    ARRAY(const float, mean, C) ARRAY(const float, variance, C) ARRAY(float, dx, maybe(N * INNER * C))                \
    ARRAY(float, dgamma, C) ARRAY(float, dbeta, C) ARRAY(const float, beta, maybe(C))                                 \
    ARRAY(const float, y, maybe(N * INNER * C)) ARRAY(float, daddend, maybe(N * INNER * C)) SIZE(N) SIZE(INNER)       \
    SIZE(C) PELLUCID_NONLINEAR(SIZE, REAL) REAL(epsilon)
// Means over INNER and each of GROUPS groups of channels, for each example and OUTER.
#define PELLUCID_GROUP_NORM(ARRAY, SIZE, REAL)                                                                        \
    ARRAY(const float, x, N * OUTER * INNER * C) ARRAY(const float, gamma, C) ARRAY(const float, beta, C)             \
    ARRAY(float, y, N * OUTER * INNER * C) ARRAY(float, mean, N * OUTER * GROUPS)                                     \
    ARRAY(float, variance, N * OUTER * GROUPS) SIZE(N) SIZE(OUTER) SIZE(INNER) SIZE(C) SIZE(GROUPS) REAL(epsilon)
#define PELLUCID_GROUP_NORM_BACKWARD(ARRAY, SIZE, REAL)                                                               \
    ARRAY(const float, dy, N * OUTER * INNER * C) ARRAY(const float, x, N * OUTER * INNER * C)                        \
    ARRAY(const float, gamma, C) ARRAY(const float, mean, N * OUTER * GROUPS)                                         \
    ARRAY(const float, variance, N * OUTER * GROUPS) ARRAY(float, dx, maybe(N * OUTER * INNER * C))                   \
    ARRAY(float, dgamma, C) ARRAY(float, dbeta, C) SIZE(N) SIZE(OUTER) SIZE(INNER) SIZE(C) SIZE(GROUPS) REAL(epsilon)
#define PELLUCID_UPDATE_RUNNING(ARRAY, SIZE, REAL)                                                                    \
    ARRAY(const float, mean, COUNT) ARRAY(float, running_mean, COUNT) SIZE(COUNT) REAL(momentum)

// What every optimizer is given: parameters, gradients, what changes from step to step, and weight decay.
#define PELLUCID_OPTIMIZER(ARRAY, SIZE, REAL)                                                                         \
    ARRAY(float, param, COUNT) ARRAY(const float, grad, COUNT) ARRAY(const double, control, 3) SIZE(COUNT)            \
    SIZE(DECOUPLED) REAL(weight_decay)
#define PELLUCID_SGD(ARRAY, SIZE, REAL)                                                                               \
    PELLUCID_OPTIMIZER(ARRAY, SIZE, REAL) ARRAY(float, velocity, maybe(COUNT)) SIZE(NESTEROV) REAL(momentum)
#define PELLUCID_ADAM(ARRAY, SIZE, REAL)                                                                              \
    PELLUCID_OPTIMIZER(ARRAY, SIZE, REAL) ARRAY(float, m, COUNT) ARRAY(float, v, COUNT)                               \
    ARRAY(float, v_max, maybe(COUNT)) REAL(beta1) REAL(beta2) REAL(epsilon)
#define PELLUCID_ADAMAX(ARRAY, SIZE, REAL)                                                                            \
    PELLUCID_OPTIMIZER(ARRAY, SIZE, REAL) ARRAY(float, m, COUNT) ARRAY(float, u, COUNT) REAL(beta1) REAL(beta2)       \
    REAL(epsilon)
#define PELLUCID_NADAM(ARRAY, SIZE, REAL)                                                                             \
    PELLUCID_OPTIMIZER(ARRAY, SIZE, REAL) ARRAY(float, m, COUNT) ARRAY(float, v, COUNT) REAL(beta1) REAL(beta2)       \
    REAL(epsilon)
#define PELLUCID_LION(ARRAY, SIZE, REAL)                                                                              \
    PELLUCID_OPTIMIZER(ARRAY, SIZE, REAL) ARRAY(float, m, COUNT) REAL(beta1) REAL(beta2)
#define PELLUCID_ADAGRAD(ARRAY, SIZE, REAL)                                                                           \
    PELLUCID_OPTIMIZER(ARRAY, SIZE, REAL) ARRAY(float, square, COUNT) REAL(epsilon)
#define PELLUCID_RMSPROP(ARRAY, SIZE, REAL)                                                                           \
    PELLUCID_OPTIMIZER(ARRAY, SIZE, REAL) ARRAY(float, square, COUNT) ARRAY(float, velocity, maybe(COUNT))            \
    ARRAY(float, mean, maybe(COUNT)) REAL(rho) REAL(momentum) REAL(epsilon)
#define PELLUCID_ADADELTA(ARRAY, SIZE, REAL)                                                                          \
    PELLUCID_OPTIMIZER(ARRAY, SIZE, REAL) ARRAY(float, square, COUNT) ARRAY(float, delta, COUNT) REAL(rho)            \
    REAL(epsilon)
#define PELLUCID_FTRL(ARRAY, SIZE, REAL)                                                                              \
    PELLUCID_OPTIMIZER(ARRAY, SIZE, REAL) ARRAY(float, square, COUNT) ARRAY(float, linear, COUNT) REAL(l1) REAL(l2)   \
    REAL(l2_shrinkage) REAL(beta)
#define PELLUCID_ADD_PENALTY(ARRAY, SIZE, REAL)                                                                       \
    ARRAY(const float, param, COUNT) ARRAY(float, grad, COUNT) ARRAY(double, totals, maybe(3)) SIZE(N) SIZE(COUNT)    \
    REAL(l1) REAL(l2)
#define PELLUCID_CLIP_BY_VALUE(ARRAY, SIZE, REAL) ARRAY(float, grad, COUNT) SIZE(COUNT) REAL(limit)
#define PELLUCID_CLIP_BY_NORM(ARRAY, SIZE, REAL) ARRAY(float, grad, COUNT) SIZE(COUNT) REAL(limit)

#define PELLUCID_GATHER(ARRAY, SIZE, REAL)                                                                            \
    ARRAY(const uint8_t, bytes, maybe(COUNT * INNER * C)) ARRAY(const float, floats, maybe(COUNT * INNER * C))        \
    ARRAY(const int64_t, indices, INDICES) ARRAY(float, out, N * INNER * C) ARRAY(const float, scale, C)              \
    ARRAY(const float, offset, C) ARRAY(const int64_t, cursor, maybe(1)) SIZE(N) SIZE(COUNT) SIZE(INDICES)            \
    SIZE(INNER) SIZE(C)
#define PELLUCID_GATHER_LABELS(ARRAY, SIZE, REAL)                                                                     \
    ARRAY(const int32_t, labels, maybe(COUNT * INNER)) ARRAY(const uint8_t, bytes, maybe(COUNT * INNER))              \
    ARRAY(const int64_t, indices, INDICES) ARRAY(int32_t, out, N * INNER) ARRAY(const int64_t, cursor, maybe(1))      \
    SIZE(N) SIZE(COUNT) SIZE(INDICES) SIZE(INNER)
// draws: a row of 21 numbers a picture, see ops/reference/augment.py; position: the row at which the batch begins.
#define PELLUCID_AUGMENT(ARRAY, SIZE, REAL)                                                                           \
    ARRAY(const uint8_t, bytes, maybe(COUNT * H * W * C)) ARRAY(const float, floats, maybe(COUNT * H * W * C))        \
    ARRAY(const int64_t, indices, INDICES) ARRAY(const float, draws, ROWS * 21) ARRAY(float, out, N * H * W * C)      \
    ARRAY(const float, scale, C) ARRAY(const float, offset, C) ARRAY(const int64_t, cursor, maybe(1))                 \
    ARRAY(const int64_t, position, maybe(1)) SIZE(N) SIZE(COUNT) SIZE(INDICES) SIZE(ROWS) SIZE(H) SIZE(W) SIZE(C)     \
    SIZE(BORDER)
// Masks beside such pictures; IGNORED: the label where nothing of the picture is seen.
#define PELLUCID_AUGMENT_MASKS(ARRAY, SIZE, REAL)                                                                     \
    ARRAY(const uint8_t, masks, COUNT * H * W) ARRAY(const int64_t, indices, INDICES)                                 \
    ARRAY(const float, draws, ROWS * 21) ARRAY(int32_t, out, N * H * W) ARRAY(const int64_t, cursor, maybe(1))        \
    ARRAY(const int64_t, position, maybe(1)) SIZE(N) SIZE(COUNT) SIZE(INDICES) SIZE(ROWS) SIZE(H) SIZE(W)             \
    SIZE(BORDER) SIZE(IGNORED)
#define PELLUCID_MIX_TARGETS(ARRAY, SIZE, REAL)                                                                       \
    ARRAY(const int32_t, labels, maybe(COUNT)) ARRAY(const float, rows, maybe(COUNT * K))                             \
    ARRAY(const int64_t, indices, INDICES) ARRAY(const float, draws, ROWS * 21) ARRAY(float, out, N * K)              \
    ARRAY(const int64_t, cursor, maybe(1)) ARRAY(const int64_t, position, maybe(1)) SIZE(N) SIZE(COUNT)               \
    SIZE(INDICES) SIZE(ROWS) SIZE(K)
#define PELLUCID_SWAP_AXES(ARRAY, SIZE, REAL)                                                                         \
    ARRAY(const float, x, A * B * C) ARRAY(float, y, B * A * C) SIZE(A) SIZE(B) SIZE(C)
#define PELLUCID_PERMUTE(ARRAY, SIZE, REAL)                                                                           \
    ARRAY(const float, x, N * OUTER * A * INNER * B * C) ARRAY(float, y, N * OUTER * B * INNER * A * C) SIZE(N)       \
    SIZE(OUTER) SIZE(A) SIZE(INNER) SIZE(B) SIZE(C)
// C columns, from FIRST, of rows of WIDTH.
#define PELLUCID_CONCATENATE(ARRAY, SIZE, REAL)                                                                       \
    ARRAY(const float, x, N * OUTER * C) ARRAY(float, y, N * OUTER * WIDTH) SIZE(N) SIZE(OUTER) SIZE(C) SIZE(WIDTH)   \
    SIZE(FIRST)
#define PELLUCID_SPLIT(ARRAY, SIZE, REAL)                                                                             \
    ARRAY(const float, y, N * OUTER * WIDTH) ARRAY(float, x, N * OUTER * C) SIZE(N) SIZE(OUTER) SIZE(C) SIZE(WIDTH)   \
    SIZE(FIRST)
#define PELLUCID_ADD(ARRAY, SIZE, REAL)                                                                               \
    ARRAY(const float, x, N * INNER) ARRAY(float, y, N * INNER) SIZE(N) SIZE(INNER)
#define PELLUCID_FMA_PROBE(ARRAY, SIZE, REAL) ARRAY(float, out, TASKS) SIZE(TASKS) SIZE(ROUNDS) REAL(factor)

// All kernels, KERNEL(struct, name, fields): the name is the one that Python uses, and in C++ kernels::name.
#define PELLUCID_KERNELS(KERNEL)                                                                                      \
    KERNEL(Conv2d, conv2d, PELLUCID_CONV2D)                                                                           \
    KERNEL(Conv2dBackwardInput, conv2d_backward_input, PELLUCID_CONV2D_BACKWARD_INPUT)                                \
    KERNEL(Conv2dBackwardKernel, conv2d_backward_kernel, PELLUCID_CONV2D_BACKWARD_KERNEL)                             \
    KERNEL(Conv2dPool, conv2d_pool, PELLUCID_CONV2D_POOL)                                                             \
    KERNEL(Conv2dPoolBackwardKernel, conv2d_pool_backward_kernel, PELLUCID_CONV2D_POOL_BACKWARD_KERNEL)               \
    KERNEL(Conv2dPoolBackwardInput, conv2d_pool_backward_input, PELLUCID_CONV2D_POOL_BACKWARD_INPUT)                  \
    KERNEL(Conv2dPoolMap, conv2d_pool_map, PELLUCID_CONV2D_POOL_MAP)                                                  \
    KERNEL(Conv2dPoolMapBackwardKernel, conv2d_pool_map_backward_kernel, PELLUCID_CONV2D_POOL_MAP_BACKWARD_KERNEL)    \
    KERNEL(Conv2dNorm, conv2d_norm, PELLUCID_CONV2D_NORM)                                                             \
    KERNEL(Conv2dNormBackward, conv2d_norm_backward, PELLUCID_CONV2D_NORM_BACKWARD)                                   \
    KERNEL(ExpandedConv2dNormBackward, expanded_conv2d_norm_backward, PELLUCID_EXPANDED_CONV2D_NORM_BACKWARD)         \
    KERNEL(InvertedResidual, inverted_residual, PELLUCID_INVERTED_RESIDUAL)                                           \
    KERNEL(BiasBackward, bias_backward, PELLUCID_BIAS_BACKWARD)                                                       \
    KERNEL(Dense, dense, PELLUCID_DENSE)                                                                              \
    KERNEL(DenseBackwardInput, dense_backward_input, PELLUCID_DENSE_BACKWARD_INPUT)                                   \
    KERNEL(DenseBackwardKernel, dense_backward_kernel, PELLUCID_DENSE_BACKWARD_KERNEL)                                \
    KERNEL(MaxPool2d, max_pool2d, PELLUCID_MAX_POOL2D)                                                                \
    KERNEL(MaxPool2dBackward, max_pool2d_backward, PELLUCID_MAX_POOL2D_BACKWARD)                                      \
    KERNEL(AvgPool2d, avg_pool2d, PELLUCID_AVG_POOL2D)                                                                \
    KERNEL(AvgPool2dBackward, avg_pool2d_backward, PELLUCID_AVG_POOL2D_BACKWARD)                                      \
    KERNEL(GlobalAvgPool2d, global_avg_pool2d, PELLUCID_GLOBAL_AVG_POOL2D)                                            \
    KERNEL(GlobalAvgPool2dBackward, global_avg_pool2d_backward, PELLUCID_GLOBAL_AVG_POOL2D_BACKWARD)                  \
    KERNEL(GlobalMaxPool2d, global_max_pool2d, PELLUCID_GLOBAL_MAX_POOL2D)                                            \
    KERNEL(GlobalMaxPool2dBackward, global_max_pool2d_backward, PELLUCID_GLOBAL_MAX_POOL2D_BACKWARD)                  \
    KERNEL(Upsample2d, upsample2d, PELLUCID_UPSAMPLE2D)                                                               \
    KERNEL(Upsample2dBackward, upsample2d_backward, PELLUCID_UPSAMPLE2D_BACKWARD)                                     \
    KERNEL(Pad2d, pad2d, PELLUCID_PAD2D)                                                                              \
    KERNEL(Pad2dBackward, pad2d_backward, PELLUCID_PAD2D_BACKWARD)                                                    \
    KERNEL(Activation, activation, PELLUCID_ACTIVATION)                                                               \
    KERNEL(ActivationBackward, activation_backward, PELLUCID_ACTIVATION_BACKWARD)                                     \
    KERNEL(Prelu, prelu, PELLUCID_PRELU)                                                                              \
    KERNEL(PreluBackward, prelu_backward, PELLUCID_PRELU_BACKWARD)                                                    \
    KERNEL(Multiply, multiply, PELLUCID_MULTIPLY)                                                                     \
    KERNEL(MultiplyBackward, multiply_backward, PELLUCID_MULTIPLY_BACKWARD)                                           \
    KERNEL(Softmax, softmax, PELLUCID_SOFTMAX)                                                                        \
    KERNEL(SoftmaxBackward, softmax_backward, PELLUCID_SOFTMAX_BACKWARD)                                              \
    KERNEL(SoftmaxCrossEntropy, softmax_cross_entropy, PELLUCID_SOFTMAX_CROSS_ENTROPY)                                \
    KERNEL(CountClasses, count_classes, PELLUCID_COUNT_CLASSES)                                                       \
    KERNEL(ElementwiseLoss, elementwise_loss, PELLUCID_ELEMENTWISE_LOSS)                                              \
    KERNEL(Accumulate, accumulate, PELLUCID_ACCUMULATE)                                                               \
    KERNEL(StopUnlessFinite, stop_unless_finite, PELLUCID_STOP_UNLESS_FINITE)                                         \
    KERNEL(Dropout, dropout, PELLUCID_DROPOUT)                                                                        \
    KERNEL(SpatialDropout, spatial_dropout, PELLUCID_SPATIAL_DROPOUT)                                                 \
    KERNEL(GaussianNoise, gaussian_noise, PELLUCID_GAUSSIAN_NOISE)                                                    \
    KERNEL(LocalResponseNorm, local_response_norm, PELLUCID_LOCAL_RESPONSE_NORM)                                      \
    KERNEL(LocalResponseNormBackward, local_response_norm_backward, PELLUCID_LOCAL_RESPONSE_NORM_BACKWARD)            \
    KERNEL(BatchNorm, batch_norm, PELLUCID_BATCH_NORM)                                                                \
    KERNEL(BatchNormInference, batch_norm_inference, PELLUCID_BATCH_NORM_INFERENCE)                                   \
    KERNEL(BatchNormBackward, batch_norm_backward, PELLUCID_BATCH_NORM_BACKWARD)                                      \
    KERNEL(GroupNorm, group_norm, PELLUCID_GROUP_NORM)                                                                \
    KERNEL(GroupNormBackward, group_norm_backward, PELLUCID_GROUP_NORM_BACKWARD)                                      \
    KERNEL(UpdateRunning, update_running, PELLUCID_UPDATE_RUNNING)                                                    \
    KERNEL(Sgd, sgd, PELLUCID_SGD)                                                                                    \
    KERNEL(Adam, adam, PELLUCID_ADAM)                                                                                 \
    KERNEL(Adagrad, adagrad, PELLUCID_ADAGRAD)                                                                        \
    KERNEL(Rmsprop, rmsprop, PELLUCID_RMSPROP)                                                                        \
    KERNEL(Adadelta, adadelta, PELLUCID_ADADELTA)                                                                     \
    KERNEL(Adamax, adamax, PELLUCID_ADAMAX)                                                                           \
    KERNEL(Nadam, nadam, PELLUCID_NADAM)                                                                              \
    KERNEL(Lion, lion, PELLUCID_LION)                                                                                 \
    KERNEL(Ftrl, ftrl, PELLUCID_FTRL)                                                                                 \
    KERNEL(AddPenalty, add_penalty, PELLUCID_ADD_PENALTY)                                                             \
    KERNEL(ClipByValue, clip_by_value, PELLUCID_CLIP_BY_VALUE)                                                        \
    KERNEL(ClipByNorm, clip_by_norm, PELLUCID_CLIP_BY_NORM)                                                           \
    KERNEL(Gather, gather, PELLUCID_GATHER)                                                                           \
    KERNEL(GatherLabels, gather_labels, PELLUCID_GATHER_LABELS)                                                       \
    KERNEL(Augment, augment, PELLUCID_AUGMENT)                                                                        \
    KERNEL(AugmentMasks, augment_masks, PELLUCID_AUGMENT_MASKS)                                                       \
    KERNEL(MixTargets, mix_targets, PELLUCID_MIX_TARGETS)                                                             \
    KERNEL(SwapAxes, swap_axes, PELLUCID_SWAP_AXES)                                                                   \
    KERNEL(Permute, permute, PELLUCID_PERMUTE)                                                                        \
    KERNEL(Concatenate, concatenate, PELLUCID_CONCATENATE)                                                            \
    KERNEL(Split, split, PELLUCID_SPLIT)                                                                              \
    KERNEL(Add, add, PELLUCID_ADD)                                                                                    \
    KERNEL(FmaProbe, fma_probe, PELLUCID_FMA_PROBE)

namespace pellucid {

#define PELLUCID_ARRAY(type, name, extent) alignas(8) type* name;
#define PELLUCID_SIZE(name) int64_t name;
#define PELLUCID_REAL(name) double name;
#define PELLUCID_STRUCT(Struct, name, FIELDS)                   \
    struct Struct {                                             \
        FIELDS(PELLUCID_ARRAY, PELLUCID_SIZE, PELLUCID_REAL)    \
    };
PELLUCID_KERNELS(PELLUCID_STRUCT)
#undef PELLUCID_ARRAY
#undef PELLUCID_SIZE
#undef PELLUCID_REAL
#undef PELLUCID_STRUCT

// The place of a maximum in its window is one byte.
constexpr int kWindowTaps = 255;   // of a window, at most
constexpr int32_t kNoPlace = 255;  // of a zero that a ReLU gave: no pixel gets its gradient

}  // namespace pellucid
