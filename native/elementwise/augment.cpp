// A batch of pictures in memory, each moved, recoloured, cut and mixed as its row of `draws` says, and scaled to float.
// A row of the result at a time, in vectors over its pixels: of each the four it comes from, and their weights
// (look_up); what these give together, each channel in a row of its own (samples); its levels (tint); then the channels
// side by side, scaled (put). A picture of bytes with three channels is read four bytes at once, the fourth of which
// are not used. Task = one picture.
#include "common/kernel.hpp"

namespace pellucid::PELLUCID_ISA_NAMESPACE {
namespace {

// The numbers of a row of `draws`, see ops/reference/augment.py.
struct Draw {
    float place[6], colour[9], grey, box[4], share;
};
static_assert(sizeof(Draw) == 21 * sizeof(float), "as arguments.hpp has it");

constexpr float kFar = 4194304.0f;  // pixels away; up to there float32 tells halves apart

struct Row {
    int32_t* at[4];  // where the four begin in the picture
    float* weight[4];
    float* level[3];
};

PELLUCID_INLINE vf vfloor(vf x) {
    const vf whole = __builtin_convertvector(__builtin_convertvector(x, vi), vf);
    return select(whole > x, whole - 1.0f, whole);
}

// Where V results come from along an axis: two rows or columns, and what each weighs.
struct Pairs {
    vi at[2];
    vf weight[2];
};
PELLUCID_INLINE Pairs pairs_of(vf position, float count, int64_t border) {
    position = vmax(vmin(position, broadcast(kFar)), broadcast(-kFar));  // NaN, too
    const vf first = vfloor(position), behind = position - first;
    vf pixel[2] = {first, first + 1.0f}, weight[2] = {1.0f - behind, behind};
    if (border == kReflect) {
        const float period = 2 * count;
        vf into = first - period * vfloor(first * (1 / period));  // by a rounding a period too low or too high
        into = select(into < 0.0f, into + period, into);
        pixel[0] = select(into >= period, into - period, into);
        pixel[1] = select(pixel[0] == period - 1, vf{}, pixel[0] + 1.0f);
    }
    Pairs p;
#pragma GCC unroll 2
    for (int k = 0; k < 2; ++k) {
        if (border == kReflect) pixel[k] = vmin(pixel[k], 2 * count - 1 - pixel[k]);
        if (border == kConstant) weight[k] = select((pixel[k] >= 0.0f) & (pixel[k] < count), weight[k], vf{});
        p.at[k] = __builtin_convertvector(vmax(vmin(pixel[k], broadcast(count - 1)), vf{}), vi);
        p.weight[k] = weight[k];
    }
    return p;
}

void look_up(const Augment& a, const Draw& d, int64_t row, const Row& r) {
    vf lane;
    for (int i = 0; i < V; ++i) lane[i] = float(i);
    const float x0 = float(double(d.place[1]) * double(row) + double(d.place[2]));
    const float y0 = float(double(d.place[4]) * double(row) + double(d.place[5]));
    const float height = float(a.H), width = float(a.W), across = d.place[0], down = d.place[3];
    const int32_t W = int32_t(a.W), C = int32_t(a.C);
    const int64_t border = a.BORDER, count = a.W;
    int32_t *at0 = r.at[0], *at1 = r.at[1], *at2 = r.at[2], *at3 = r.at[3];
    float *w0 = r.weight[0], *w1 = r.weight[1], *w2 = r.weight[2], *w3 = r.weight[3];
    const bool level = down == 0.0f;
    const Pairs same = pairs_of(broadcast(y0), height, border);
    for (int64_t j = 0; j < count; j += V) {
        const vf column = lane + float(j);
        const Pairs x = pairs_of(column * across + x0, width, border);
        const Pairs y = level ? same : pairs_of(column * down + y0, height, border);
        const vi above = y.at[0] * W, below = y.at[1] * W;
        const vi at[4] = {(above + x.at[0]) * C, (above + x.at[1]) * C, (below + x.at[0]) * C, (below + x.at[1]) * C};
        memcpy(at0 + j, &at[0], sizeof at[0]);
        memcpy(at1 + j, &at[1], sizeof at[1]);
        memcpy(at2 + j, &at[2], sizeof at[2]);
        memcpy(at3 + j, &at[3], sizeof at[3]);
        store(w0 + j, y.weight[0] * x.weight[0]);
        store(w1 + j, y.weight[0] * x.weight[1]);
        store(w2 + j, y.weight[1] * x.weight[0]);
        store(w3 + j, y.weight[1] * x.weight[1]);
    }
}

// One channel of a row.
template <typename T>
void sample(const T* from, const Row& r, int64_t count, float* level) {
    const int32_t *at0 = r.at[0], *at1 = r.at[1], *at2 = r.at[2], *at3 = r.at[3];
    const float *w0 = r.weight[0], *w1 = r.weight[1], *w2 = r.weight[2], *w3 = r.weight[3];
    for (int64_t j = 0; j < count; ++j)
        level[j] = float(from[at0[j]]) * w0[j] + float(from[at1[j]]) * w1[j] + float(from[at2[j]]) * w2[j] +
                   float(from[at3[j]]) * w3[j];
}

// All three; the four pixels take the place of where they begin. last: behind the picture there is no byte to be read.
void sample_colours(const uint8_t* from, const Row& r, int64_t count, bool last) {
    for (int k = 0; k < 4; ++k) {
        int32_t* const at = r.at[k];
        if (last)
            for (int64_t j = 0; j < count; ++j) {
                const uint8_t* const p = from + at[j];
                at[j] = p[0] | p[1] << 8 | p[2] << 16;
            }
        else
            for (int64_t j = 0; j < count; ++j) memcpy(at + j, from + at[j], 4);
    }
    const int32_t *p0 = r.at[0], *p1 = r.at[1], *p2 = r.at[2], *p3 = r.at[3];
    const float *w0 = r.weight[0], *w1 = r.weight[1], *w2 = r.weight[2], *w3 = r.weight[3];
    float *red = r.level[0], *green = r.level[1], *blue = r.level[2];
    for (int64_t j = 0; j < count; j += V) {
        const int32_t* const pixels[4] = {p0 + j, p1 + j, p2 + j, p3 + j};
        const float* const weights[4] = {w0 + j, w1 + j, w2 + j, w3 + j};
        vf sums[3] = {};
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
            vi pixel;
            memcpy(&pixel, pixels[k], sizeof pixel);
            const vf weight = load(weights[k]);
            sums[0] += __builtin_convertvector(pixel & 255, vf) * weight;
            sums[1] += __builtin_convertvector((pixel >> 8) & 255, vf) * weight;
            sums[2] += __builtin_convertvector((pixel >> 16) & 255, vf) * weight;
        }
        store(red + j, sums[0]);
        store(green + j, sums[1]);
        store(blue + j, sums[2]);
    }
}

template <typename T>
constexpr float kWhite = sizeof(T) == 1 ? 255.0f : 1.0f;

// Levels of bytes stay levels of bytes.
template <typename T>
PELLUCID_INLINE vf within(vf x) {
    return sizeof(T) == 1 ? vmin(vmax(x, vf{}), broadcast(255.0f)) : x;
}

template <typename T>
void tint(const Draw& d, float grey, const Row& r, int64_t count, bool colours) {
    float *red = r.level[0], *green = r.level[1], *blue = r.level[2];
    const float* const m = d.colour;
    const vf m0 = broadcast(m[0]), m1 = broadcast(m[1]), m2 = broadcast(m[2]), m3 = broadcast(m[3]);
    const vf m4 = broadcast(m[4]), m5 = broadcast(m[5]), m6 = broadcast(m[6]), m7 = broadcast(m[7]);
    const vf m8 = broadcast(m[8]), constant = broadcast(grey);
    for (int64_t j = 0; j < count; j += V) {
        const vf x = load(red + j);
        if (!colours) {
            store(red + j, within<T>(x * m0 + constant));
            continue;
        }
        const vf y = load(green + j), z = load(blue + j);
        store(red + j, within<T>(x * m0 + y * m1 + z * m2 + constant));
        store(green + j, within<T>(x * m3 + y * m4 + z * m5 + constant));
        store(blue + j, within<T>(x * m6 + y * m7 + z * m8 + constant));
    }
}

// A channel of a row to its places, C apart.
void put(const float* level, float scale, float offset, int64_t count, int64_t C, bool added, float* out) {
    if (added)
        for (int64_t j = 0; j < count; ++j) out[j * C] += level[j] * scale + offset;
    else
        for (int64_t j = 0; j < count; ++j) out[j * C] = level[j] * scale + offset;
}

// The mean of a picture: of three channels the brightness that eyes see (Rec. 601), else of all numbers.
template <typename T>
float mean_of(const T* p, int64_t pixels, int64_t channels) {
    constexpr int64_t kStretch = 3 * V * 256;  // summed in floats: whole numbers below 2^24 for bytes
    const int64_t size = pixels * channels;
    const double weights[3] = {0.299, 0.587, 0.114}, each = 1.0 / 3;
    double total = 0;
    for (int64_t begin = 0; begin < size; begin += kStretch) {
        const int64_t end = at_most(begin + kStretch, size);
        vf sums[3] = {};
        float lanes[3 * V] = {};
        int64_t i = begin;
        for (; i + 3 * V <= end; i += 3 * V)
#pragma GCC unroll 3
            for (int k = 0; k < 3; ++k) {
                if constexpr (sizeof(T) == 1) {
                    vb bytes;
                    memcpy(&bytes, p + i + k * V, V);
                    sums[k] += __builtin_convertvector(from_bytes(bytes), vf);
                } else {
                    sums[k] += load(p + i + k * V);
                }
            }
        for (int k = 0; k < 3; ++k) store(lanes + k * V, sums[k]);
        for (int64_t k = 0; i < end; ++i, ++k) lanes[k] += float(p[i]);
        for (int64_t k = 0; k < 3 * V; ++k) total += double(lanes[k]) * (channels == 3 ? weights[k % 3] : each);
    }
    return float(total / double(pixels) / (channels == 3 ? 1.0 : double(channels) / 3));
}

// Rows and columns that are cut out.
struct Box {
    int64_t top, left, bottom, right;
    bool holds(int64_t row, int64_t column) const {
        return top <= row && row < bottom && left <= column && column < right;
    }
};
Box box_of(const Draw& d, int64_t height, int64_t width) {
    const auto whole = [](float x, int64_t most) { return x > 0.0f ? x < float(most) ? int64_t(x) : most : 0; };
    const int64_t left = whole(d.box[1], width);
    return {whole(d.box[0], height), left, whole(d.box[2], height), at_least(whole(d.box[3], width), left)};
}

// A picture, `share` of it, into `out`, or added to what is there.
template <typename T>
void write_picture(const Augment& a, const T* all, int64_t number, const Draw& d, const Row& r, float share, bool added,
                   float* out) {
    const int64_t C = a.C, W = a.W;
    const T* const from = all + number * a.H * W * C;
    const float grey = d.grey == 0.0f ? 0.0f : d.grey * mean_of(from, a.H * W, C);
    const Box box = box_of(d, a.H, W);
    const int64_t together = C == 3 ? 3 : 1;
    for (int64_t row = 0; row < a.H; ++row, out += W * C) {
        look_up(a, d, row, r);
        const bool cut = box.top <= row && row < box.bottom;
        for (int64_t c = 0; c < C; c += together) {
            if (sizeof(T) == 1 && together == 3)
                sample_colours(reinterpret_cast<const uint8_t*>(from), r, W, number == a.COUNT - 1);
            else
                for (int64_t k = 0; k < together; ++k) sample(from + c + k, r, W, r.level[k]);
            tint<T>(d, grey, r, W, together == 3);
            for (int64_t k = 0; k < together; ++k) {
                if (cut)
                    for (int64_t j = box.left; j < box.right; ++j) r.level[k][j] = 0.5f * kWhite<T>;
                put(r.level[k], a.scale[c + k] * share, a.offset[c + k] * share, W, C, added, out + c + k);
            }
        }
    }
}

void run_augment(const Augment& a, Context& context) {
    const int64_t first = a.cursor ? a.cursor[0] : 0, drawn = a.position ? a.position[0] : 0;
    if (first < 0 || first > a.INDICES - a.N || drawn < 0 || drawn > a.ROWS - a.N) {
        context.status = kIndexOutOfRange;
        return;
    }
    const int64_t width = round_up(a.W, V), size = a.H * a.W * a.C;
    parallel_for(a.N, 30.0 * double(a.N * size), [&, first, drawn](int64_t n, Arena& arena) {
        int32_t* at;
        float *weight, *level;
        take(arena, piece(at, 4 * width), piece(weight, 4 * width), piece(level, 3 * width));
        Row r;
        for (int64_t k = 0; k < 4; ++k) r.at[k] = at + k * width, r.weight[k] = weight + k * width;
        for (int64_t k = 0; k < 3; ++k) r.level[k] = level + k * width;
        // mixed with the one that stands as far from the end of the batch as it from the beginning
        const int64_t both[2] = {n, a.N - 1 - n};
        Draw own;
        memcpy(&own, a.draws + (drawn + n) * 21, sizeof own);
        const float share = own.share > 0.0f ? own.share : 0.0f;
        const int pictures = share < 1.0f ? 2 : 1;
        for (int k = 0; k < pictures; ++k) {
            const int64_t number = a.indices[first + both[k]];
            if (number < 0 || number >= a.COUNT) {
                __atomic_store_n(&context.status, kIndexOutOfRange, __ATOMIC_RELAXED);
                return;
            }
            Draw d;
            memcpy(&d, a.draws + (drawn + both[k]) * 21, sizeof d);
            const float part = pictures == 1 ? 1.0f : k == 0 ? share : 1.0f - share;
            float* const out = a.out + n * size;
            if (a.bytes) write_picture(a, a.bytes, number, d, r, part, k == 1, out);
            else write_picture(a, a.floats, number, d, r, part, k == 1, out);
        }
    });
}

// The pixel at a place along an axis of `count`, or -1 beyond a black border. The place is reckoned in double, where it
// is exact but for one rounding, so that the nearest pixel is the reference's.
int64_t nearest(double place, int64_t count, int64_t border) {
    const double far = double(kFar), within = place < far ? place > -far ? place : -far : far;  // NaN: far
    int64_t pixel = int64_t(within + 0.5);
    if (double(pixel) > within + 0.5) --pixel;
    if (border == kReflect) {
        pixel %= 2 * count;
        if (pixel < 0) pixel += 2 * count;
        return pixel < count ? pixel : 2 * count - 1 - pixel;
    }
    if (border == kConstant && (pixel < 0 || pixel >= count)) return -1;
    return at_least(at_most(pixel, count - 1), 0);
}

// Masks moved as their pictures are: the label of the nearest pixel.
void run_augment_masks(const AugmentMasks& a, Context& context) {
    const int64_t first = a.cursor ? a.cursor[0] : 0, drawn = a.position ? a.position[0] : 0;
    if (first < 0 || first > a.INDICES - a.N || drawn < 0 || drawn > a.ROWS - a.N) {
        context.status = kIndexOutOfRange;
        return;
    }
    parallel_for(a.N, 20.0 * double(a.N * a.H * a.W), [&, first, drawn](int64_t n) {
        const int64_t number = a.indices[first + n];
        if (number < 0 || number >= a.COUNT) {
            __atomic_store_n(&context.status, kIndexOutOfRange, __ATOMIC_RELAXED);
            return;
        }
        Draw d;
        memcpy(&d, a.draws + (drawn + n) * 21, sizeof d);
        const uint8_t* const mask = a.masks + number * a.H * a.W;
        int32_t* out = a.out + n * a.H * a.W;
        const Box box = box_of(d, a.H, a.W);
        for (int64_t i = 0; i < a.H; ++i)
            for (int64_t j = 0; j < a.W; ++j, ++out) {
                const double x = double(d.place[0]) * double(j) + (double(d.place[1]) * double(i) + double(d.place[2]));
                const double y = double(d.place[3]) * double(j) + (double(d.place[4]) * double(i) + double(d.place[5]));
                const int64_t column = nearest(x, a.W, a.BORDER), row = nearest(y, a.H, a.BORDER);
                const bool seen = column >= 0 && row >= 0 && !box.holds(i, j);
                *out = seen ? int32_t(mask[row * a.W + column]) : int32_t(a.IGNORED);
            }
    });
}

// Targets mixed as the pictures are: shares of classes, or of rows of numbers.
void run_mix_targets(const MixTargets& a, Context& context) {
    const int64_t first = a.cursor ? a.cursor[0] : 0, drawn = a.position ? a.position[0] : 0;
    if (first < 0 || first > a.INDICES - a.N || drawn < 0 || drawn > a.ROWS - a.N) {
        context.status = kIndexOutOfRange;
        return;
    }
    for (int64_t n = 0; n < a.N; ++n) {
        const float own = a.draws[(drawn + n) * 21 + 20];
        const float share = own > 0.0f ? own < 1.0f ? own : 1.0f : 0.0f;
        float* const out = a.out + n * a.K;
        memset(out, 0, size_t(a.K) * sizeof(float));
        for (int k = 0; k < 2; ++k) {
            const int64_t row = a.indices[first + (k == 0 ? n : a.N - 1 - n)];
            const float part = k == 0 ? share : 1.0f - share;
            if (row < 0 || row >= a.COUNT) {
                context.status = kIndexOutOfRange;
                return;
            }
            if (a.rows) {
                for (int64_t i = 0; i < a.K; ++i) out[i] += part * a.rows[row * a.K + i];
            } else if (a.labels[row] < 0 || a.labels[row] >= a.K) {
                context.status = kLabelOutOfRange;
                return;
            } else {
                out[a.labels[row]] += part;
            }
        }
    }
}

}  // namespace

const Kernel kernels::augment = kernel<run_augment>();
const Kernel kernels::augment_masks = kernel<run_augment_masks>();
const Kernel kernels::mix_targets = kernel<run_mix_targets>();

}  // namespace pellucid::PELLUCID_ISA_NAMESPACE
