// Products and sums of sizes that stay at the top once they pass it, so that no comparison with them is fooled.
#pragma once
#include <cstdint>

namespace pellucid {

struct Count {
    static constexpr int64_t kTop = INT64_MAX;
    int64_t value;  // never negative

    constexpr Count(int64_t given) : value(given < 0 ? kTop : given) {}
};
constexpr Count operator*(Count a, Count b) {
    int64_t product = 0;
    return __builtin_mul_overflow(a.value, b.value, &product) ? Count::kTop : product;
}
constexpr Count operator+(Count a, Count b) {
    int64_t sum = 0;
    return __builtin_add_overflow(a.value, b.value, &sum) ? Count::kTop : sum;
}
constexpr Count operator/(Count a, Count b) { return b.value == 0 ? Count::kTop : a.value / b.value; }
constexpr bool operator<(Count a, Count b) { return a.value < b.value; }

// Entries that a kernel reads or writes of an array.
struct Extent {
    int64_t entries;
    bool optional;  // it may be null

    constexpr Extent(Count count, bool may_be_null = false) : entries(count.value), optional(may_be_null) {}
    constexpr Extent(int64_t count) : Extent(Count(count)) {}
};
constexpr Extent maybe(Count count) { return {count, true}; }

}  // namespace pellucid
