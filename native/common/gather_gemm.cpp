// The register tiles of the matrix product with gathered rows, and the activations over values just stored.
#include "common/gather_gemm.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// f over values just stored.
template <typename F>
PELLUCID_INLINE void map_span(float* y, int64_t count, F f) {
    int64_t i = 0;
    for (; i + V <= count; i += V) store(y + i, f(load(y + i)));
    if (i < count) store_partial(y + i, f(load_partial(y + i, count - i)), count - i);
}
template <int R, int NV>
void tile(const Tile& t) {
    const float* p[R];
    vf sum[R][NV];
    // Lanes of the last vector; the ones before it are whole.
    const int64_t tail = t.columns - (NV - 1) * V;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
        p[r] = t.rows[r];
#pragma GCC unroll 3
        for (int v = 0; v < NV; ++v) sum[r][v] = vf{};
    }
    const int32_t* offset = t.offset;
    const float* panel = t.panel;
    const intptr_t ahead = t.ahead ? intptr_t(t.ahead) - intptr_t(panel) : 0;
    const float* const end = panel + t.depth * (NV * V);
#pragma GCC unroll 4
    for (; panel != end; panel += NV * V) {
        const int64_t o = *offset++;
        for (int v = 0; v < NV && NV == 2; ++v)
            __builtin_prefetch(reinterpret_cast<const char*>(panel + v * V) + ahead, 0, 2);
        vf b[NV];
#pragma GCC unroll 3
        for (int v = 0; v < NV; ++v) b[v] = load(panel + v * V);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const vf a = broadcast(p[r][o]);
#pragma GCC unroll 3
            for (int v = 0; v < NV; ++v) sum[r][v] += a * b[v];
        }
    }
    if (!t.first) {
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const float* y = t.out[r] + t.column;
#pragma GCC unroll 3
            for (int v = 0; v < NV - 1; ++v) sum[r][v] += load(y + v * V);
            sum[r][NV - 1] += tail == V ? load(y + (NV - 1) * V) : load_partial(y + (NV - 1) * V, tail);
        }
    }
    const Epilogue& e = *t.epilogue;
    if (t.last) {
        if (e.bias) {
#pragma GCC unroll 3
            for (int v = 0; v < NV; ++v) {
                const vf bias = load(e.bias + t.column + v * V);
#pragma GCC unroll 16
                for (int r = 0; r < R; ++r) sum[r][v] += bias;
            }
        }
        if (e.activation == kRelu) {
#pragma GCC unroll 16
            for (int r = 0; r < R; ++r)
#pragma GCC unroll 3
                for (int v = 0; v < NV; ++v) sum[r][v] = rectified(sum[r][v]);
        } else if (e.activation == kRelu6 && e.numbers.clips()) {
#pragma GCC unroll 16
            for (int r = 0; r < R; ++r)
#pragma GCC unroll 3
                for (int v = 0; v < NV; ++v) sum[r][v] = clipped(sum[r][v], e.numbers.ceiling);
        } else if (e.activation == kLeakyRelu) {
#pragma GCC unroll 16
            for (int r = 0; r < R; ++r)
#pragma GCC unroll 3
                for (int v = 0; v < NV; ++v) sum[r][v] = select(sum[r][v] < 0.0f, sum[r][v] * e.numbers.slope, sum[r][v]);
        }
    }
    if (t.around) {
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 3
            for (int v = 0; v < NV; ++v) store_around(t.out[r] + t.column + v * V, sum[r][v]);
        return;
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
        float* y = t.out[r] + t.column;
#pragma GCC unroll 3
        for (int v = 0; v < NV - 1; ++v) store(y + v * V, sum[r][v]);
        if (tail == V) store(y + (NV - 1) * V, sum[r][NV - 1]);
        else store_partial(y + (NV - 1) * V, sum[r][NV - 1], tail);
    }
    if (t.last && runs_behind(e.activation, e.numbers))
        for (int r = 0; r < R; ++r) activate_span(t.out[r] + t.column, t.columns, e.activation, e.numbers);
}

}  // namespace

const TileFunction kTiles3[] = {PELLUCID_TILES(PELLUCID_ROWS3, 3)};
const TileFunction kTiles2[] = {PELLUCID_TILES(PELLUCID_ROWS2, 2)};
const TileFunction kTiles1[] = {PELLUCID_TILES(PELLUCID_ROWS1, 1)};

void activate_span(float* y, int64_t count, int64_t kind, Numbers numbers) {
    with_activation(kind, [=](auto known) {
        map_span(y, count, [numbers, known](vf v) { return activated(v, known.value, numbers); });
    });
}

void activate_rows(float* y, const float* addend, int64_t rows, int64_t columns, int64_t stride, int64_t kind,
                   Numbers numbers) {
    if (columns == stride) columns = stride *= rows, rows = 1;
    with_activation(kind, [=](auto known) {
        for (int64_t r = 0; r < rows; ++r) {
            const float* from = addend + r * stride;
            float* to = y + r * stride;
            int64_t i = 0;
            for (; i + V <= columns; i += V)
                store(to + i, activated(load(to + i) + load(from + i), known.value, numbers));
            if (i == columns) continue;
            const vf sum = load_partial(to + i, columns - i) + load_partial(from + i, columns - i);
            store_partial(to + i, activated(sum, known.value, numbers), columns - i);
        }
    });
}

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
