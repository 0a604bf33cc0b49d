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

#define PELLUCID_ARRAY(type, name, extent) \
    {#name, Kind::array, ArrayField<type>::letter, ArrayField<type>::writable, #extent},
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

// PELLUCID_INSTRUCTION_SETS, given by the build: a row SET(name, floats in a vector, whether this machine has it) for each
// instruction set that the kernels were compiled for, best first.
#if defined(__x86_64__)
#define HAS(feature) (__builtin_cpu_supports(#feature) != 0)
#endif
#define PELLUCID_DECLARE(Struct, name, FIELDS) extern const Kernel name;
#define PELLUCID_ADDRESS(Struct, name, FIELDS) &kernels::name,
#define SET(isa, floats, present)                                    \
    namespace isa {                                                  \
    namespace kernels { PELLUCID_KERNELS(PELLUCID_DECLARE) }         \
    namespace {                                                      \
    const Kernel* const table[] = {PELLUCID_KERNELS(PELLUCID_ADDRESS)}; \
    }                                                                \
    }
PELLUCID_INSTRUCTION_SETS
#undef SET

namespace {

struct InstructionSet {
    const char* name;
    int64_t vector_floats;
    bool (*present)();
    const Kernel* const* kernels;  // in the order of all_signatures
};

#define SET(isa, floats, present) {#isa, floats, [] { return present; }, isa::table},
const InstructionSet sets[] = {PELLUCID_INSTRUCTION_SETS};
#undef SET

const InstructionSet& find_set(const std::string& isa) {
    const InstructionSet* set = sets;
    while (isa != set->name) ++set;  // whoever asks has the name from here
    return *set;
}

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

const Kernel* find_kernel(const std::string& isa, const Signature* signature) {
    return find_set(isa).kernels[signature - all_signatures];
}

int64_t vector_floats(const std::string& isa) { return find_set(isa).vector_floats; }

}  // namespace pellucid
