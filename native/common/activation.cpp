// The activations that are called where their kind is known when a kernel runs only.
#include "common/activation.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {

void activate_rarely(vf* v, int64_t kind, const Numbers& n) {
#define PELLUCID_CASE(name, word) if (kind == name) *v = activated_rarely(*v, name, n);
    PELLUCID_ACTIVATIONS(PELLUCID_CASE)
#undef PELLUCID_CASE
}

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
