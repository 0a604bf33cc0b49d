// Fields of type SIZE that hold a choice: CHOICE(name, word). Kernels compare the name's number, Python gives the word;
// runtime/registry.cpp lists them for it. A new choice goes to the end of its list.
#pragma once
#include <cstdint>

// Kernels have a loop of its own for each of these;
#define PELLUCID_FREQUENT_ACTIVATIONS(CHOICE)                                                                         \
    CHOICE(kLinear, "linear") CHOICE(kRelu, "relu") CHOICE(kLeakyRelu, "leaky_relu") CHOICE(kSigmoid, "sigmoid")      \
    CHOICE(kTanh, "tanh") CHOICE(kElu, "elu") CHOICE(kRelu6, "relu6") CHOICE(kSelu, "selu")                         \
    CHOICE(kHardSigmoid, "hard_sigmoid") CHOICE(kSoftsign, "softsign") CHOICE(kSoftplus, "softplus")                  \
    CHOICE(kSilu, "silu") CHOICE(kHardSilu, "hard_silu") CHOICE(kGelu, "gelu") CHOICE(kGeluTanh, "gelu_tanh")
// and call a function for one of these.
#define PELLUCID_RARE_ACTIVATIONS(CHOICE)                                                                             \
    CHOICE(kCelu, "celu") CHOICE(kExponential, "exponential") CHOICE(kHardShrink, "hard_shrink")                      \
    CHOICE(kHardTanh, "hard_tanh") CHOICE(kLogSigmoid, "log_sigmoid") CHOICE(kMish, "mish")                           \
    CHOICE(kSoftShrink, "soft_shrink") CHOICE(kSparsePlus, "sparse_plus")                                             \
    CHOICE(kSparseSigmoid, "sparse_sigmoid") CHOICE(kSquareplus, "squareplus") CHOICE(kTanhShrink, "tanh_shrink")
#define PELLUCID_ACTIVATIONS(CHOICE) PELLUCID_FREQUENT_ACTIVATIONS(CHOICE) PELLUCID_RARE_ACTIVATIONS(CHOICE)
#define PELLUCID_LOSSES(CHOICE)                                                                                       \
    CHOICE(kBinaryCrossEntropy, "binary_cross_entropy") CHOICE(kSquaredError, "mean_squared_error")                   \
    CHOICE(kAbsoluteError, "mean_absolute_error")
// Which answers of an elementwise loss are hits.
#define PELLUCID_ACCURACIES(CHOICE)                                                                                   \
    CHOICE(kNoHits, "none") CHOICE(kCategorical, "categorical") CHOICE(kBinary, "binary")
#define PELLUCID_POOLINGS(CHOICE) CHOICE(kMax, "max") CHOICE(kAverage, "average")
#define PELLUCID_INTERPOLATIONS(CHOICE) CHOICE(kNearest, "nearest") CHOICE(kBilinear, "bilinear")
// What lies beyond the edge of a picture: zeros, the picture mirrored, or its last row or column.
#define PELLUCID_BORDERS(CHOICE) CHOICE(kConstant, "constant") CHOICE(kReflect, "reflect") CHOICE(kEdge, "edge")
// Of a convolution; kChoose lets conv/choice.hpp decide. "winograd" is F(4x4,3x3) or F(2x2,5x5), "winograd2"
// F(2x2,3x3), "winograd_rows" F(4,5) along rows, for one channel before pooling. "few_filters" says that
// conv2d_pool_map pays.
#define PELLUCID_ALGORITHMS(CHOICE)                                                                                   \
    CHOICE(kChoose, "auto") CHOICE(kDirect, "direct") CHOICE(kWinograd4, "winograd") CHOICE(kWinograd2, "winograd2")  \
    CHOICE(kWinogradRows, "winograd_rows") CHOICE(kFewFilters, "few_filters")
#define PELLUCID_CHOICES(FIELD)                                                                                       \
    FIELD(ACTIVATION, PELLUCID_ACTIVATIONS) FIELD(LOSS, PELLUCID_LOSSES) FIELD(ACCURACY, PELLUCID_ACCURACIES)         \
    FIELD(POOL, PELLUCID_POOLINGS) FIELD(ALGORITHM, PELLUCID_ALGORITHMS) FIELD(BORDER, PELLUCID_BORDERS)              \
    FIELD(INTERPOLATION, PELLUCID_INTERPOLATIONS)

namespace pellucid {

#define PELLUCID_NUMBER(name, word) name,
#define PELLUCID_ENUM(FIELD, CHOICES) enum : int64_t { CHOICES(PELLUCID_NUMBER) };
PELLUCID_CHOICES(PELLUCID_ENUM)
#undef PELLUCID_NUMBER
#undef PELLUCID_ENUM

// Whether a gradient is made of the activation's input: of an output that two inputs give, it cannot be, and of the rare
// ones it need not be. The others all rise, so a maximum may be taken before them.
constexpr bool reads_input(int64_t activation) { return activation >= kSilu; }

}  // namespace pellucid
