// What sizes a kernel may be given. Python checks them too, and says it better; here nothing is taken on trust.
#include <algorithm>
#include <cstring>

#include "runtime/by_rows.hpp"
#include "runtime/program.hpp"

namespace pellucid {
namespace {

constexpr int64_t kSide = int64_t(1) << 20;      // window, stride, dilation, padding: geometry.MAX_SIDE
constexpr int64_t kNumbers = int64_t(1) << 30;   // of one example, a kernel, or a copy of them: offsets are int32
constexpr int64_t kEntries = int64_t(1) << 46;   // of any array
constexpr int64_t kWork = int64_t(1) << 62;      // products of entries and taps are counted in int64

struct Limit {
    const char* name;
    int64_t least, most;
};
constexpr Limit kLimits[] = {
    {"H", 1, kNumbers}, {"W", 1, kNumbers}, {"C", 1, kNumbers}, {"I", 1, kNumbers}, {"O", 1, kNumbers},
    {"OH", 1, kNumbers}, {"OW", 1, kNumbers}, {"QH", 1, kNumbers}, {"QW", 1, kNumbers}, {"GROUPS", 1, kNumbers}, {"KH", 1, kSide},
    {"KW", 1, kSide}, {"PH", 1, kSide}, {"PW", 1, kSide}, {"SH", 1, kSide}, {"SW", 1, kSide}, {"PSH", 1, kSide},
    {"PSW", 1, kSide}, {"DH", 1, kSide}, {"DW", 1, kSide}, {"TOP", 0, kNumbers}, {"LEFT", 0, kNumbers},
    {"COUNTED_TOP", 0, kSide}, {"COUNTED_BOTTOM", 0, kSide}, {"COUNTED_LEFT", 0, kSide}, {"COUNTED_RIGHT", 0, kSide},
    {"PTOP", 0, kSide}, {"PLEFT", 0, kSide}, {"WINDOW", 1, kSide}, {"INPUTS", 1, kNumbers}, {"UNITS", 1, kNumbers},
    {"K", 0, kNumbers}, {"LAYER", 0, int64_t(UINT32_MAX)}, {"ROUNDS", 0, kEntries}, {"NESTEROV", 0, 1},
    {"DECOUPLED", 0, 1}, {"WIDTH", 1, kNumbers}, {"FIRST", 0, kNumbers},
};
constexpr Limit kAny = {"", 0, kEntries};  // N, OUTER, INNER, COUNT, INDICES, ROWS, TASKS, A, B

Limit limit_of(const char* name) {
    for (const Choices& each : choices())
        if (std::strcmp(each.field, name) == 0) return {name, 0, int64_t(each.words.size()) - 1};
    for (const Limit& limit : kLimits)
        if (std::strcmp(limit.name, name) == 0) return limit;
    return kAny;
}

std::string quoted(const char* name) { return "'" + std::string(name) + "' "; }

// The sizes of a step by name; 0 where it has none of that name.
class Sizes {
public:
    explicit Sizes(BoundKernel& step) : step_(step) {}
    uint64_t* find(const char* name, Kind kind = Kind::size) const {
        for (int64_t i = 0; i < step_.signature->count; ++i) {
            const Field& field = step_.signature->fields[i];
            if (field.kind == kind && std::strcmp(field.name, name) == 0) return &step_.arguments[size_t(i)];
        }
        return nullptr;
    }
    int64_t operator[](const char* name) const {
        const uint64_t* const word = find(name);
        return word ? int64_t(*word) : 0;
    }
    template <typename Arguments>
    Arguments as() const {
        Arguments a;
        std::memcpy(&a, step_.arguments.data(), sizeof a);
        return a;
    }
    bool is(const char* kernel) const { return std::strcmp(step_.signature->name, kernel) == 0; }
    bool begins(const char* text) const { return std::strncmp(step_.signature->name, text, std::strlen(text)) == 0; }

private:
    BoundKernel& step_;
};

// One axis of a window that slides: the fields' names.
struct Axis {
    const char *size, *windows, *taps, *stride, *before, *dilation;
};
constexpr Axis kConvolution[] = {{"H", "OH", "KH", "SH", "TOP", "DH"}, {"W", "OW", "KW", "SW", "LEFT", "DW"}};
constexpr Axis kPooling[] = {{"H", "OH", "PH", "SH", "TOP", ""}, {"W", "OW", "PW", "SW", "LEFT", ""}};
constexpr Axis kPooledMap[] = {{"OH", "QH", "PH", "PSH", "PTOP", ""}, {"OW", "QW", "PW", "PSW", "PLEFT", ""}};

int64_t span_of(const Sizes& s, const Axis& axis) {
    return (Count(s[axis.taps] - 1) * std::max<int64_t>(s[axis.dilation], 1) + 1).value;
}

// Pixels of the padded picture that windows see, or dx has.
Count padded(const Sizes& s, const Axis& axis) {
    const Count seen = Count(s[axis.windows] - 1) * s[axis.stride] + span_of(s, axis);
    return std::max(seen.value, (Count(s[axis.size]) + s[axis.before]).value);
}

// One window alone is moved by no stride, one tap alone spread by no dilation.
void bring_down(const Sizes& s, const Axis& axis) {
    if (uint64_t* const dilation = s.find(axis.dilation); dilation && s[axis.taps] == 1) *dilation = 1;
    const int64_t reach = std::max(span_of(s, axis), s[axis.size] + s[axis.before]);
    uint64_t* const stride = s.find(axis.stride);
    if (s[axis.windows] == 1) *stride = uint64_t(std::min(int64_t(*stride), reach));
}

// A window of channels that reaches beyond all of them on both sides sees no more than one that just does.
void bring_down_window(const Sizes& s) {
    if (uint64_t* const window = s.find("WINDOW"))
        *window = uint64_t(std::min(int64_t(*window), 2 * s["C"] + 2));
}

std::string convolution_objection(const Sizes& s) {
    for (const Axis& axis : kConvolution) bring_down(s, axis);
    const int64_t groups = s["GROUPS"];
    if (s["C"] % groups || s["O"] % groups) return "channels and filters do not divide into groups";
    const Count height = padded(s, kConvolution[0]), width = padded(s, kConvolution[1]);
    const Count rows = Count(s["OH"]) + span_of(s, kConvolution[0]);
    const Count columns = Count(s["OW"]) + span_of(s, kConvolution[1]);
    const Count kernel = Count(s["KH"]) * s["KW"] * s["C"] * s["O"];
    for (const Count count : {height * width * s["C"], rows * columns * s["O"], kernel})
        if (kNumbers <= count.value)
            return "a picture of " + std::to_string(s["H"]) + "x" + std::to_string(s["W"]) + "x" +
                   std::to_string(s["C"]) + " with " + std::to_string(s["O"]) +
                   " filters is too large for the compiled kernel";
    return "";
}

std::string pooling_objection(const Sizes& s, const Axis (&axes)[2], const char* channels) {
    const bool average = s.begins("avg_pool2d");
    for (const Axis& axis : axes) {
        bring_down(s, axis);
        const Count last = Count(s[axis.windows] - 1) * s[axis.stride];
        if (s[axis.taps] <= s[axis.before] || !(last < Count(s[axis.size]) + s[axis.before]))
            return "a window lies wholly on padding";
    }
    const Count taps = Count(s["PH"]) * s["PW"], picture = padded(s, axes[0]) * padded(s, axes[1]) * s[channels];
    if (!average && kWindowTaps < taps.value)
        return "a window may have " + std::to_string(kWindowTaps) + " taps, got " + std::to_string(s["PH"]) + "x" +
               std::to_string(s["PW"]);
    if (kNumbers <= picture.value || kWork <= (Count(s["N"]) * picture * taps).value)
        return "pictures and windows are too large for the compiled kernel";
    return "";
}

// The algorithm asked for, by a caller who knows what it needs.
std::string algorithm_objection(const Sizes& s) {
    const int64_t algorithm = s["ALGORITHM"], KH = s["KH"];
    if (algorithm <= kDirect) return "";
    const bool square = KH == s["KW"] && s["SH"] * s["SW"] * s["DH"] * s["DW"] == 1;
    const bool pooled = s.find("QH") != nullptr;
    const bool in_tiles = s["PH"] == 2 && s["PW"] == 2 && s["PSH"] == 2 && s["PSW"] == 2 && s["PTOP"] == 0 &&
                          s["PLEFT"] == 0 && s["POOL"] == 0 && 2 * s["QH"] <= s["OH"] && 2 * s["QW"] <= s["OW"];
    const bool fits = algorithm == kWinograd4       ? KH == 3 || KH == 5
                      : algorithm == kWinograd2     ? KH == 3
                      : algorithm == kWinogradRows  ? KH == 5 && s["C"] == 1 && s.is("conv2d_pool")
                                                    : false;
    return fits && square && (in_tiles || !pooled) ? "" : "the algorithm asked for cannot do this";
}

std::string block_objection(const Sizes& s) {
    const bool trained = s.is("expanded_conv2d_norm_backward");
    if (trained && (s["GROUPS"] != s["C"] || s["O"] != s["C"])) return "each channel must be convolved by itself";
    if (!(trained ? goes_by_rows(s.as<ExpandedConv2dNormBackward>()) : goes_by_rows(s.as<InvertedResidual>())))
        return "an inverted residual block must be 3x3 or 5x5 with stride 1 or 2 on a multiple of 16 channels";
    const Count picture = Count(s["H"]) * s["W"] * s["I"], weights = Count(s["I"]) * s["C"];
    return picture.value < kNumbers && weights.value < kNumbers ? "" : "a picture or its weights are too large";
}

// Upsampling and borders: what each axis of the larger picture must be.
std::string border_objection(const Sizes& s) {
    for (const Axis& axis : kPooling) {
        const int64_t size = s[axis.size], larger = s[axis.windows];
        if (s.begins("upsample2d") && larger != (Count(size) * s[axis.stride]).value)
            return "upsampled pictures must be as much larger as the factors say";
        if (!s.begins("pad2d")) continue;
        const int64_t before = s[axis.before], behind = larger - size - before;
        if (behind < 0) return "a picture must lie within its border";
        if (s["BORDER"] == kReflect && std::max(before, behind) >= size)
            return "a reflected border must be narrower than the picture";
    }
    return "";
}

std::string size_objection(const Sizes& s) {
    std::string wrong = border_objection(s);
    bring_down_window(s);
    if (s.find("KH")) wrong = convolution_objection(s);
    if (wrong.empty() && s.find("I")) wrong = block_objection(s);
    if (wrong.empty() && s.find("QH")) wrong = pooling_objection(s, kPooledMap, "O");
    if (wrong.empty() && s.find("PH") && !s.find("QH")) wrong = pooling_objection(s, kPooling, "C");
    if (wrong.empty()) wrong = algorithm_objection(s);
    if (!wrong.empty()) return wrong;
    if ((s.find("QH") || s.is("avg_pool2d_backward")) && reads_input(s["ACTIVATION"]))
        return "an activation whose gradient reads its input does not run with pooling";
    if (s.begins("conv2d_pool_map")) {
        const bool beside = s["PSH"] == s["PH"] && s["PSW"] == s["PW"] && s["PTOP"] == 0 && s["PLEFT"] == 0 &&
                            s["QH"] * s["PH"] <= s["OH"] && s["QW"] * s["PW"] <= s["OW"];
        if (s["GROUPS"] != 1 || !beside)
            return "windows must lie side by side, without padding, behind a convolution in one group";
    }
    if (s.begins("group_norm") && s["C"] % s["GROUPS"]) return "channels do not divide into groups";
    const Count weights = Count(s["INPUTS"]) * s["UNITS"];
    if (s.begins("dense") && (kNumbers <= (Count(s["N"]) * 64).value || kNumbers <= weights.value))
        return "rows or weights are too many for the compiled kernel";
    if (s.find("WIDTH") && s["FIRST"] + s["C"] > s["WIDTH"]) return "columns must lie within their rows";
    const int64_t channels = std::max<int64_t>(s["C"], 1);
    if (s.begins("augment") && (s["H"] > kSide || s["W"] > kSide || kNumbers < (Count(s["H"]) * s["W"] * channels).value))
        return "a picture of " + std::to_string(s["H"]) + "x" + std::to_string(s["W"]) + "x" + std::to_string(channels) +
               " is too large to be augmented";
    const char* const numbers = s.is("softmax_cross_entropy") ? "K" : s.is("elementwise_loss") ? "INNER" : nullptr;
    if (numbers && s[numbers] < 1 && s["N"] > 0) return "there must be at least one number a picture";
    return "";
}

// Of arrays that may be null, one of which must be there.
constexpr struct {
    const char *kernel, *one, *other;
} kEither[] = {{"gather", "bytes", "floats"},
               {"gather_labels", "labels", "bytes"},
               {"augment", "bytes", "floats"},
               {"mix_targets", "labels", "rows"},
               {"softmax_cross_entropy", "labels", "targets"}};

// Of convolutions between batch norms: arrays whose channels go through one.
constexpr struct {
    const char *array, *channels;
} kNormed[] = {{"x_mean", "C"}, {"mean", "O"}};

}  // namespace

std::string objection(BoundKernel& step, const std::vector<int64_t>& entries) {
    const Signature& signature = *step.signature;
    for (int64_t i = 0; i < signature.count; ++i) {
        const Field& field = signature.fields[i];
        const Limit limit = limit_of(field.name);
        const int64_t size = int64_t(step.arguments[size_t(i)]);
        if (field.kind == Kind::size && (size < limit.least || size > limit.most))
            return quoted(field.name) + "must be from " + std::to_string(limit.least) + " to " +
                   std::to_string(limit.most) + ", got " + std::to_string(size);
        double real = 0;
        std::memcpy(&real, &step.arguments[size_t(i)], sizeof real);
        if (field.kind == Kind::real && std::strcmp(field.name, "rate") == 0 && !(real >= 0 && real < 1))
            return quoted(field.name) + "must be in [0, 1)";
    }
    const Sizes sizes(step);
    const std::string wrong = size_objection(sizes);
    if (!wrong.empty()) return wrong;

    std::vector<Extent> extents;
    signature.extents(step.arguments.data(), extents);
    size_t array = 0;
    for (int64_t i = 0; i < signature.count; ++i) {
        const Field& field = signature.fields[i];
        if (field.kind != Kind::array) continue;
        const Extent& extent = extents[array];
        const int64_t given = entries[array++];
        if (step.arguments[size_t(i)] == 0) {
            if (!extent.optional) step.missing = field.name;
        } else if (given < extent.entries) {
            return quoted(field.name) + "has " + std::to_string(given) + " entries, the kernel would use " +
                   std::to_string(extent.entries);
        }
    }
    if (sizes.is("inverted_residual") && sizes["I"] != sizes["C"] && !*sizes.find("expand", Kind::array))
        step.missing = "expand";  // without it as many channels are read as are convolved
    for (const auto& normed : kNormed) {
        const uint64_t* const given = sizes.begins("conv2d_norm") ? sizes.find(normed.array, Kind::array) : nullptr;
        if (given && *given && sizes[normed.channels] % kNormChannels)
            return "channels that are normalised must be a multiple of " + std::to_string(kNormChannels);
    }
    for (const auto& either : kEither) {
        if (!sizes.is(either.kernel)) continue;
        bool there = false;
        for (int64_t i = 0; i < signature.count; ++i) {
            const char* const name = signature.fields[i].name;
            const bool one = std::strcmp(name, either.one) == 0 || std::strcmp(name, either.other) == 0;
            there = there || (one && step.arguments[size_t(i)] != 0);
        }
        if (!there) step.missing = either.one;
    }
    return "";
}

}  // namespace pellucid
