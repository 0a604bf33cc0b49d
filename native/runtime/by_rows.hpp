// What convolutions of each channel by itself the tiles of conv/depthwise_rows.hpp do: kernels choose by it, and checks.
#pragma once
#include <cstdint>

namespace pellucid {

constexpr int64_t kNormChannels = 16;  // whole vectors of every instruction set

template <typename Arguments>
constexpr bool goes_by_rows(const Arguments& a) {
    return a.KH == a.KW && (a.KH == 3 || a.KH == 5) && a.SH == a.SW && a.SH <= 2 && a.DH * a.DW == 1 && a.TOP < a.KH &&
           a.LEFT < a.KW && a.C % kNormChannels == 0;
}

}  // namespace pellucid
