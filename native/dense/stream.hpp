// Dense layers on few examples: the weights are read once, in the order they lie in memory, and multiplied as they
// come. Only the examples are packed.
//
//     out[n][j] = sum over k of in[n][k] * matrix[k][j]     matrix = the weights (forward) or transposed (to the input)
//
// Register tile: 4 k x 2 vectors of weights (8 registers) stay while the examples pass: 2 sums are loaded, take 4
// broadcasts and 8 multiply-adds, and are stored. A single example keeps the sums of up to 8 vectors in registers
// while 16 k pass, forward: loaded and stored every 4 k, they would wait for each other.
//
// Forward, loop order: strips of columns > blocks of 256 k > visits of 16 k > pairs of vectors > groups of 4 k >
// examples. Memory is what bounds it, so strips are as wide as their sums allow (8192 floats: whole rows of 4096 units
// for 2 examples, 512 units for 16), and while one visit's 16 rows are multiplied from L2, pair by pair, the next 16
// are fetched row by row. Few wide strips are shared out by blocks of k, whose sums are added in order at the end.
//
// To the input, a row of weights is a column of the matrix: strips of rows > runs of 32768 / N k > 16 rows (8 without
// AVX) > blocks of 256 k > groups of 4 k > examples. A block is copied together first, since rows 4 KB apart share a
// set of L1, and the 8 registers are made from it by transposing squares of 4 x 4. Up to 4 examples keep their sums in
// registers.
//
// Every sum runs over k in order within a block of 256 and over the blocks in order, as in the product for many
// examples, so a result does not depend on how many there are.
// The last columns are those of dense/dots.hpp for both.
#pragma once
#include "dense/zeros.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

constexpr int64_t kStreamed = 48;      // examples at most
constexpr int64_t kVisit = 16;         // k that one visit of a pair of columns adds up
constexpr int64_t kStreamTasks = 16;
constexpr int64_t kSumFloats = 8192;   // sums of a strip
constexpr int64_t kStripLeast = 256;   // columns of a strip: 1 KB of each row
constexpr int64_t kRunFloats = 32768;  // examples' numbers that stay in L2 while pairs pass
constexpr int kRowVectors = V == 16 ? 1 : 2;  // rows copied at a time, to the input: 16 KB, half of L1
constexpr int64_t kPartialFloats = int64_t(2) << 20;

template <int NV>
PELLUCID_INLINE void load_rows(const float* from, int64_t stride, vf (&w)[kGroup][NV]) {
#pragma GCC unroll 4
    for (int q = 0; q < kGroup; ++q)
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) w[q][v] = load(from + q * stride + v * V);
}

// sum[n] += x[n] . w
template <int NV>
PELLUCID_INLINE void update(const vf (&w)[kGroup][NV], const float* x, int64_t N, float* sum) {
    for (int64_t n = 0; n < N; ++n, x += kGroup, sum += NV * V) {
        vf s[NV];
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) s[v] = load(sum + v * V);
#pragma GCC unroll 4
        for (int q = 0; q < kGroup; ++q) {
            const vf a = broadcast(x[q]);
#pragma GCC unroll 2
            for (int v = 0; v < NV; ++v) s[v] += a * w[q][v];
        }
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) store(sum + v * V, s[v]);
    }
}

struct Stream {
    const float* in;  // (N, depth)
    float* out;       // (N, columns)
    Matrix m;
    int64_t N;
    Epilogue epilogue;
    int64_t columns;  // without the last ones that are dotted
    float* packed;    // in[n][4 g + q] at (g * N + n) * 4 + q, zeros at the end
    float* partial;   // of each block of k, where a strip has several tasks
    float* dots;      // to the input: the last columns, packed
    const float* x;   // packed, or the one example as it is
    bool sparse;      // forward, of one example: rows of weights that meet zeros need not be read
    int64_t strip, strips, chunks, run;
};

PELLUCID_INLINE vf finish(const Epilogue& e, vf v, const float* bias, int64_t lanes) {
    if (e.bias) v += load_lanes(bias, lanes);
    return activated_any(v, e.activation, e.numbers);
}

constexpr int64_t kPackGroups = 64;
void pack_examples(const Stream& s) {
    const int64_t groups = ceil_div(s.m.depth, kGroup);
    parallel_for(ceil_div(groups, kPackGroups), double(s.N * s.m.depth), [&](int64_t task) {
        const int64_t end = at_most((task + 1) * kPackGroups, groups);
        for (int64_t n = 0; n < s.N; ++n)
            for (int64_t g = task * kPackGroups; g < end; ++g) {
                const float* from = s.in + n * s.m.depth + g * kGroup;
                float* to = s.packed + (g * s.N + n) * kGroup;
                if ((g + 1) * kGroup <= s.m.depth) memcpy(to, from, kGroup * sizeof(float));
                else
                    for (int64_t q = 0; q < kGroup; ++q) to[q] = g * kGroup + q < s.m.depth ? from[q] : 0.0f;
            }
    });
}

// Adds the sums of one pair of vectors (or one vector) to the output, or puts them there.
PELLUCID_INLINE void flush(const float* sum, int64_t width, int64_t N, float* out, int64_t stride, int64_t columns,
                           bool add) {
    for (int64_t n = 0; n < N; ++n, sum += width, out += stride)
        for (int64_t v = 0; v < columns; v += V) {
            const int64_t lanes = at_most(columns - v, V);
            vf total = load(sum + v);
            if (add) total += load_lanes(out + v, lanes);
            store_lanes(out + v, total, lanes);
        }
}

// The next rows of the strip, fetched a few lines at a time in the order they lie in memory.
struct Ahead {
    const float* row;
    int64_t stride, width, rows, column;

    PELLUCID_INLINE void fetch(int64_t lines) {
        for (; lines > 0 && rows > 0; --lines) {
            __builtin_prefetch(row + column);
            column += kLine;
            if (column >= width) {
                column = 0;
                row += stride;
                --rows;
            }
        }
    }
};

template <int NV>
PELLUCID_INLINE void strip_rows(const Stream& s, const float* from, int64_t stride, int64_t depth, const float* x,
                                float* sum, Ahead& ahead) {
    for (int64_t k = 0; k < depth; k += kGroup) {
        vf w[kGroup][NV];
        ahead.fetch(NV * V * kGroup / kLine);
        load_rows<NV>(from + k * stride, stride, w);
        update<NV>(w, x + k * s.N, s.N, sum);
    }
}

template <int NV>
PELLUCID_INLINE void strip_rows_of_one(const float* from, int64_t stride, int64_t depth, const float* x, float* sum,
                                       Ahead& ahead) {
    vf s[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) s[v] = load(sum + v * V);
    for (int64_t k = 0; k < depth; ++k, from += stride) {
        ahead.fetch(NV * V / kLine);
        const vf a = broadcast(x[k]);
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) s[v] += a * load(from + v * V);
    }
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) store(sum + v * V, s[v]);
}

void stream_strip(const Stream& s, int64_t task, Arena& arena) {
    const int64_t strip = task % s.strips, chunk = task / s.strips, blocks = ceil_div(s.m.depth, kDepth);
    const int64_t c0 = strip * s.strip, columns = at_most(s.columns - c0, s.strip), width = round_up(columns, V);
    const int64_t b0 = blocks * chunk / s.chunks, b1 = blocks * (chunk + 1) / s.chunks;
    const int64_t k0 = b0 * kDepth, k1 = at_most(b1 * kDepth, s.m.depth);
    float *sums, *copy;
    int32_t* some;
    take(arena, piece(sums, s.N * width), piece(copy, kVisit * width),
         piece(some, s.sparse ? k1 - k0 + kRowsAhead + 1 : 0));
    const int64_t count = s.sparse && width == columns ? list_some(s.x, k0, k1, some) : k1 - k0;
    const bool sparse = s.sparse && width == columns && 4 * count < 3 * (k1 - k0);
    const int32_t* next = some;
    for (int64_t b = b0; b < b1; ++b) {
        memset(sums, 0, size_t(s.N * width) * sizeof(float));
        const int64_t end = at_most((b + 1) * kDepth, s.m.depth);
        if (sparse) {
            const int32_t* const from = next;
            while (next < some + count && *next < end) ++next;
            add_some(s.m.weights + c0, s.m.stride, s.x, from, next - from, width, sums);
        }
        for (int64_t k = b * kDepth; k < end && !sparse; k += kVisit) {
            const float* from = s.m.weights + k * s.m.stride + c0;
            int64_t stride = s.m.stride, depth = kVisit;
            if (k + kVisit > s.m.depth || (k + kVisit - 1) * s.m.stride + c0 + width > s.m.depth * s.m.stride) {
                const int64_t left = at_most(end - k, kVisit);
                depth = round_up(left, kGroup);
                memset(copy, 0, size_t(depth * width) * sizeof(float));  // whole vectors would read past the end
                for (int64_t q = 0; q < left; ++q)
                    memcpy(copy + q * width, from + q * stride, size_t(columns) * sizeof(float));
                from = copy;
                stride = width;
            }
            const float* x = s.x + k * s.N;
            Ahead ahead{s.m.weights + (k + kVisit) * s.m.stride + c0, s.m.stride, columns,
                        at_most(s.m.depth - k - kVisit, kVisit), 0};
            int64_t j = 0;
            for (; s.N == 1 && j + 8 * V <= width; j += 8 * V)
                strip_rows_of_one<8>(from + j, stride, depth, x, sums + j, ahead);
            for (; s.N == 1 && j + 6 * V <= width; j += 6 * V)
                strip_rows_of_one<6>(from + j, stride, depth, x, sums + j, ahead);
            for (; s.N == 1 && j + 2 * V <= width; j += 2 * V)
                strip_rows_of_one<2>(from + j, stride, depth, x, sums + j, ahead);
            for (; j + 2 * V <= width; j += 2 * V)
                strip_rows<2>(s, from + j, stride, depth, x, sums + j * s.N, ahead);
            if (j < width) strip_rows<1>(s, from + j, stride, depth, x, sums + j * s.N, ahead);
        }
        float* out = s.chunks > 1 ? s.partial + b * s.N * s.columns : s.out;
        const int64_t row = s.chunks > 1 ? s.columns : s.m.columns;
        for (int64_t j = 0; j < width; j += 2 * V) {
            const int64_t pair = at_most(width - j, 2 * V);
            flush(sums + j * s.N, pair, s.N, out + c0 + j, row, at_most(columns - j, pair),
                  s.chunks == 1 && b > 0);
        }
    }
    if (s.chunks > 1 || (!s.epilogue.bias && s.epilogue.activation == kLinear)) return;
    for (int64_t n = 0; n < s.N; ++n)
        for (int64_t j = c0; j < c0 + columns; j += V) {
            const int64_t lanes = at_most(c0 + columns - j, V);
            float* y = s.out + n * s.m.columns + j;
            store_lanes(y, finish(s.epilogue, load_lanes(y, lanes), s.epilogue.bias + j, lanes), lanes);
        }
}

// The sums of the blocks of k in order: the same bits as one task that adds them as it goes.
void join_blocks(const Stream& s) {
    const int64_t blocks = ceil_div(s.m.depth, kDepth);
    parallel_for(s.N, double(s.N * s.columns) * double(blocks), [&](int64_t n) {
        for (int64_t j = 0; j < s.columns; j += V) {
            const int64_t lanes = at_most(s.columns - j, V);
            const float* from = s.partial + n * s.columns + j;
            vf total = load_lanes(from, lanes);
            for (int64_t b = 1; b < blocks; ++b) total += load_lanes(from + b * s.N * s.columns, lanes);
            store_lanes(s.out + n * s.m.columns + j, finish(s.epilogue, total, s.epilogue.bias + j, lanes), lanes);
        }
    });
}

// Each group of 4 k fetches its share of 2V rows x 256 floats, in the order of memory; `next` is where the rows that
// are multiplied go on, or where the next ones begin.
PELLUCID_INLINE void fetch_rows(const float* next, int64_t stride, int64_t g) {
    constexpr int64_t lines = kRowVectors * V / kGroup;  // so many rows x 16 lines by 64 groups
    const int64_t line = g / kGroup * lines;
    const float* p = next + line / (kDepth / kLine) * stride + line % (kDepth / kLine) * kLine;
#pragma GCC unroll 8
    for (int64_t l = 0; l < lines; ++l) __builtin_prefetch(p + l * kLine);
}

// sum[n] += x[n] . the copy
void multiply_rows(const float* copy, int64_t depth, const float* x, int64_t N, float* sum, const float* next,
                   int64_t stride) {
    for (int64_t g = 0; g < depth; g += kGroup, x += kGroup * N) {
        vf w[kGroup][kRowVectors];
        fetch_rows(next, stride, g);
        load_transposed<kRowVectors>(copy + g, kCopyStride, w);
        update<kRowVectors>(w, x, N, sum);
    }
}

// The sums of so few examples stay in registers; one vector of weights after the other leaves room for them.
template <int N>
void multiply_rows_few(const float* copy, int64_t depth, const float* x, float* sum, const float* next,
                       int64_t stride) {
    vf s[N][kRowVectors];
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n)
#pragma GCC unroll 2
        for (int v = 0; v < kRowVectors; ++v) s[n][v] = vf{};
    for (int64_t g = 0; g < depth; g += kGroup, x += kGroup * N) {
        fetch_rows(next, stride, g);
#pragma GCC unroll 2
        for (int v = 0; v < kRowVectors; ++v) {
            vf w[kGroup][1];
            load_transposed<1>(copy + g + v * V * kCopyStride, kCopyStride, w);
#pragma GCC unroll 4
            for (int q = 0; q < kGroup; ++q)
#pragma GCC unroll 4
                for (int n = 0; n < N; ++n) s[n][v] += broadcast(x[n * kGroup + q]) * w[q][0];
        }
    }
#pragma GCC unroll 4
    for (int n = 0; n < N; ++n)
#pragma GCC unroll 2
        for (int v = 0; v < kRowVectors; ++v) store(sum + (n * kRowVectors + v) * V, s[n][v]);
}

void stream_rows(const Stream& s, int64_t task, Arena& arena) {
    constexpr int64_t most = kRowVectors * V;
    float *sum, *copy;
    take(arena, piece(sum, s.N * most), piece(copy, most * kCopyStride));
    const int64_t end = at_most((task + 1) * s.strip, s.columns);
    for (int64_t run = 0; run < s.m.depth; run += s.run)
        for (int64_t i = task * s.strip; i < end; i += most) {
            const int64_t rows = at_most(end - i, most), run_end = at_most(run + s.run, s.m.depth);
            if (rows < most) memset(copy, 0, size_t(most * kCopyStride) * sizeof(float));
            for (int64_t k = run; k < run_end; k += kDepth) {
                const int64_t depth = at_most(s.m.depth - k, kDepth), padded = round_up(depth, kGroup);
                const float* from = s.m.weights + i * s.m.stride + k;
                for (int64_t r = 0; r < rows; ++r) {
                    float* to = copy + r * kCopyStride;
                    copy_floats(from + r * s.m.stride, depth, to);
                    for (int64_t q = depth; q < padded; ++q) to[q] = 0.0f;
                }
                const float* next = k + kDepth < run_end ? from + kDepth : s.m.weights + (i + most) * s.m.stride + run;
                const float* x = s.x + k * s.N;
                switch (s.N) {
                    case 1: multiply_rows_few<1>(copy, padded, x, sum, next, s.m.stride); break;
                    case 2: multiply_rows_few<2>(copy, padded, x, sum, next, s.m.stride); break;
                    case 3: multiply_rows_few<3>(copy, padded, x, sum, next, s.m.stride); break;
                    case 4: multiply_rows_few<4>(copy, padded, x, sum, next, s.m.stride); break;
                    default:
                        memset(sum, 0, size_t(s.N * most) * sizeof(float));
                        multiply_rows(copy, padded, x, s.N, sum, next, s.m.stride);
                }
                flush(sum, most, s.N, s.out + i, s.m.columns, rows, k > 0);
            }
        }
}

// Sums of each block of the depth, for tasks that share a strip: at most 8 MB, and for fewer examples never more.
constexpr bool partial_fits(int64_t blocks, int64_t N, int64_t columns) {
    return blocks * N * columns <= kPartialFloats;
}
// How the work is shared out, and what it needs of the workspace.
inline Stream stream_of(const float* in, float* out, const Matrix& m, int64_t N, const Epilogue& epilogue,
                        Memory& memory) {
    Stream s{};
    s.in = in;
    s.out = out;
    s.m = m;
    s.N = N;
    s.epilogue = epilogue;
    const int64_t blocks = at_least(ceil_div(m.depth, kDepth), 1);
    s.columns = m.columns - dotted(m);
    s.dots = memory.take<float>(m.transposed ? dot_floats(m) : 0);
    s.packed = memory.take<float>(N * round_up(m.depth, kGroup));
    s.chunks = 1;
    if (s.columns == 0) {
        s.strips = 0;
    } else if (m.transposed) {
        s.run = at_least(kRunFloats / N / kDepth * kDepth, kDepth);
        s.strip = at_most(at_least(round_up(ceil_div(s.columns, kStreamTasks), 2 * V), 2 * V), 8 * V);
        s.strips = ceil_div(s.columns, s.strip);
    } else {
        s.strip = at_least(kSumFloats / N, kStripLeast);
        s.strips = ceil_div(s.columns, s.strip);
        s.strip = round_up(ceil_div(s.columns, s.strips), 2 * V);
        s.strips = ceil_div(s.columns, s.strip);
        s.partial = memory.take<float>(blocks > 1 ? at_most(blocks * N * s.columns, kPartialFloats) : 0);
        if (partial_fits(blocks, N, s.columns)) s.chunks = at_least(at_most(kStreamTasks / s.strips, blocks), 1);
    }
    return s;
}

// The last columns are tasks beside those of the strips. dots: these columns, packed; null for it to pack them itself.
// finite: the weights are known to be.
inline void run_stream(Stream s, const float* dots, bool finite) {
    s.sparse = finite && s.N == 1 && !s.m.transposed;
    s.x = s.N == 1 && s.m.depth % kGroup == 0 ? s.in : s.packed;
    if (s.x == s.packed) pack_examples(s);
    if (!dots) pack_dots(s.m, 0, s.m.depth, s.dots);
    const Dots last{s.in, s.out, s.m, s.N, s.epilogue, dots ? dots : s.dots};
    const int64_t tasks = s.strips * s.chunks;
    parallel_for(tasks + dot_tasks(last), double(s.N * s.m.depth) * double(s.columns), [&](int64_t task, Arena& arena) {
        if (task >= tasks) dots_task(last, task - tasks, arena);
        else if (s.m.transposed) stream_rows(s, task, arena);
        else stream_strip(s, task, arena);
    });
    if (s.chunks > 1) join_blocks(s);
}

}  // namespace
}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
