// What exists: the fields of every kernel, and the kernel tables of every instruction set in this library.
#include <cstring>

#include "runtime/program.hpp"

namespace pellucid {
namespace {

template <typename T> struct TypeLetter;
template <> struct TypeLetter<float> { static constexpr char letter = 'f'; };
template <> struct TypeLetter<double> { static constexpr char letter = 'd'; };
template <> struct TypeLetter<int32_t> { static constexpr char letter = 'i'; };
template <> struct TypeLetter<int64_t> { static constexpr char letter = 'l'; };
template <> struct TypeLetter<uint32_t> { static constexpr char letter = 'I'; };
template <> struct TypeLetter<uint8_t> { static constexpr char letter = 'B'; };

template <typename T> struct ArrayField {
    static constexpr char letter = TypeLetter<T>::letter;
    static constexpr bool writable = true;
};
template <typename T> struct ArrayField<const T> {
    static constexpr char letter = TypeLetter<T>::letter;
    static constexpr bool writable = false;
};

#define PELLUCID_ARRAY(type, name, extent) {#name, Kind::array, ArrayField<type>::letter, ArrayField<type>::writable, #extent},
#define PELLUCID_SIZE(name) {#name, Kind::size, 0, false, ""},
#define PELLUCID_REAL(name) {#name, Kind::real, 0, false, ""},
#define PELLUCID_FIELDS(Struct, name, FIELDS) \
    const Field name##_fields[] = {FIELDS(PELLUCID_ARRAY, PELLUCID_SIZE, PELLUCID_REAL)}; \
    static_assert(sizeof(Struct) == 8 * (sizeof(name##_fields) / sizeof(Field)), "every field takes 8 bytes");
PELLUCID_KERNELS(PELLUCID_FIELDS)

#define PELLUCID_NOTHING(...)
#define PELLUCID_COUNT_OF(name) [[maybe_unused]] const Count name(sizes.name);
#define PELLUCID_EXTENT(type, name, extent) Extent(extent),
#define PELLUCID_EXTENTS(Struct, name, FIELDS)                                         \
    void name##_extents(const void* arguments, std::vector<Extent>& found) {           \
        const Struct& sizes = *static_cast<const Struct*>(arguments);                  \
        FIELDS(PELLUCID_NOTHING, PELLUCID_COUNT_OF, PELLUCID_NOTHING)                  \
        found = {FIELDS(PELLUCID_EXTENT, PELLUCID_NOTHING, PELLUCID_NOTHING)};         \
    }
PELLUCID_KERNELS(PELLUCID_EXTENTS)

int64_t find_batch(const Field* fields, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        if (std::strcmp(fields[i].name, "N") == 0) return i;
    return -1;
}

#define PELLUCID_SIGNATURE(Struct, name, FIELDS)                            \
    {#name, name##_fields, int64_t(sizeof(name##_fields) / sizeof(Field)),  \
     find_batch(name##_fields, int64_t(sizeof(name##_fields) / sizeof(Field))), name##_extents},
const Signature all_signatures[] = {PELLUCID_KERNELS(PELLUCID_SIGNATURE)};

}  // namespace

const std::vector<Choices>& choices() {
#define PELLUCID_WORD(name, word) word,
#define PELLUCID_WORDS(FIELD, CHOICES) {#FIELD, {CHOICES(PELLUCID_WORD)}},
    static const std::vector<Choices> all = {PELLUCID_CHOICES(PELLUCID_WORDS)};
    return all;
}

const Signature* signatures(int64_t& count) {
    count = int64_t(sizeof(all_signatures) / sizeof(Signature));
    return all_signatures;
}

const Signature* find_signature(const std::string& name) {
    for (const Signature& s : all_signatures)
        if (name == s.name) return &s;
    return nullptr;
}

#define PELLUCID_FAMILIES(FAMILY) \
    FAMILY(conv2d_family) FAMILY(conv2d_input_family) FAMILY(conv2d_pool_family) \
    FAMILY(conv2d_narrow_family) FAMILY(conv2d_narrow_kernel_family) \
    FAMILY(conv2d_routed_kernel_family) FAMILY(conv2d_routed_input_family) \
    FAMILY(dense_family) FAMILY(activation_family) FAMILY(pool2d_family) FAMILY(avg_pool2d_family) \
    FAMILY(loss_family) FAMILY(normalization_family) FAMILY(dropout_family) FAMILY(gradient_family) \
    FAMILY(optimizer_family) FAMILY(gather_family) FAMILY(swap_axes_family) \
    FAMILY(probe_family)

#define PELLUCID_DECLARE(family) extern const Family family;
#define PELLUCID_ADDRESS(family) &PELLUCID_SET::family,

#if defined(PELLUCID_X86)
namespace avx512 { PELLUCID_FAMILIES(PELLUCID_DECLARE) }
namespace avx2 { PELLUCID_FAMILIES(PELLUCID_DECLARE) }
#endif
namespace baseline { PELLUCID_FAMILIES(PELLUCID_DECLARE) }

namespace {

#if defined(PELLUCID_X86)
#define PELLUCID_SET avx512
const Family* const avx512_families[] = {PELLUCID_FAMILIES(PELLUCID_ADDRESS)};
#undef PELLUCID_SET
#define PELLUCID_SET avx2
const Family* const avx2_families[] = {PELLUCID_FAMILIES(PELLUCID_ADDRESS)};
#undef PELLUCID_SET

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
#if defined(PELLUCID_EMULATE_AVX512)
    return has_avx2();
#else
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
}
#endif
#define PELLUCID_SET baseline
const Family* const baseline_families[] = {PELLUCID_FAMILIES(PELLUCID_ADDRESS)};
#undef PELLUCID_SET
bool always() { return true; }

struct InstructionSet {
    const char* name;
    bool (*present)();
    const Family* const* families;
    size_t count;
};

#define PELLUCID_COUNT(array) (sizeof(array) / sizeof((array)[0]))
const InstructionSet sets[] = {  // best first; an emulated set is never the best
#if defined(PELLUCID_X86)
#if !defined(PELLUCID_EMULATE_AVX512)
    {"avx512", has_avx512, avx512_families, PELLUCID_COUNT(avx512_families)},
#endif
    {"avx2", has_avx2, avx2_families, PELLUCID_COUNT(avx2_families)},
#endif
    {"baseline", always, baseline_families, PELLUCID_COUNT(baseline_families)},
#if defined(PELLUCID_X86) && defined(PELLUCID_EMULATE_AVX512)
    {"avx512", has_avx512, avx512_families, PELLUCID_COUNT(avx512_families)},
#endif
};

}  // namespace

std::vector<std::string> instruction_sets() {
    std::vector<std::string> names;
    for (const InstructionSet& set : sets)
        if (set.present()) names.push_back(set.name);
    return names;
}

std::vector<std::string> built_instruction_sets() {
    std::vector<std::string> names;
    for (const InstructionSet& set : sets) names.push_back(set.name);
    return names;
}

const Kernel* find_kernel(const std::string& isa, const std::string& name) {
    for (const InstructionSet& set : sets) {
        if (isa != set.name) continue;
        for (size_t f = 0; f < set.count; ++f)
            for (int64_t k = 0; k < set.families[f]->count; ++k)
                if (name == set.families[f]->kernels[k].name) return &set.families[f]->kernels[k];
    }
    return nullptr;
}

}  // namespace pellucid
