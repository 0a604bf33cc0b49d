// Runs recorded steps (scripts/record_steps.py wrote them) and compares all their arrays, bit by bit, with what was
// recorded, for each instruction set that this machine has, with several numbers of threads. It needs no Python, and so
// shows of a build for another system that it computes the same. A set that was not recorded is only compared between
// numbers of threads.
//   replay FILE
// The file is a row of words of 8 bytes; a text is its length and its bytes, filled up to whole words. For each step:
// its kernel; how many memories there are, and each as a text; its fields, of an array the memory's number from 1 (0:
// none), where it begins there and its entries, else the word itself; how many instruction sets were recorded, and of
// each its name and the checksum of all memories after the step.
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>

#include "runtime/parallel.hpp"
#include "runtime/program.hpp"

namespace pellucid {
namespace {

struct Reader {
    explicit Reader(const char* path) : file(std::fopen(path, "rb")), whole(file != nullptr) {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() {
        if (file) std::fclose(file);
    }
    uint64_t word() {
        uint64_t word = 0;
        whole = whole && std::fread(&word, sizeof word, 1, file) == 1;
        return whole ? word : 0;
    }
    std::string text() {
        const size_t length = size_t(word());
        std::string text((length + 7) / 8 * 8, ' ');
        whole = whole && std::fread(text.data(), 1, text.size(), file) == text.size();
        text.resize(length);
        return text;
    }
    FILE* file;
    bool whole;
};

struct Expected {
    std::string isa;
    uint64_t checksum;
};

struct Recorded {
    BoundKernel step;
    std::vector<std::string> memories;
    std::vector<uint64_t> places;  // for each field: memory, and where in it
    std::vector<Expected> expected;
};

struct Free {
    void operator()(char* memory) const { release(memory); }
};
using Held = std::unique_ptr<char, Free>;

bool read(Reader& reader, Recorded& one) {
    const std::string name = reader.text();
    one.step.signature = find_signature(name);
    if (!reader.whole || !one.step.signature) return false;
    one.step.kernel = find_kernel(instruction_sets().front(), one.step.signature);
    for (uint64_t left = reader.word(); left > 0 && reader.whole; --left) one.memories.push_back(reader.text());
    std::vector<int64_t> entries;
    for (int64_t i = 0; i < one.step.signature->count; ++i) {
        const bool array = one.step.signature->fields[i].kind == Kind::array;
        const uint64_t word = reader.word();
        one.step.arguments.push_back(word);
        one.places.push_back(array ? word : 0);
        one.places.push_back(array ? reader.word() : 0);
        if (array) entries.push_back(int64_t(reader.word()));
    }
    for (uint64_t left = reader.word(); left > 0 && reader.whole; --left) {
        const std::string isa = reader.text();
        one.expected.push_back({isa, reader.word()});
    }
    const std::string wrong = objection(one.step, entries);
    if (!wrong.empty()) std::printf("%s: %s\n", name.c_str(), wrong.c_str());
    return reader.whole && wrong.empty();
}

struct Crc32 {
    Crc32() {
        for (uint32_t i = 0; i < 256; ++i) {
            table[i] = i;
            for (int bit = 0; bit < 8; ++bit) table[i] = (table[i] >> 1) ^ (table[i] & 1 ? 0xEDB88320u : 0);
        }
    }
    void add(const char* data, size_t bytes) {
        for (size_t i = 0; i < bytes; ++i) value = (value >> 8) ^ table[(value ^ uint8_t(data[i])) & 255];
    }
    uint32_t table[256];
    uint32_t value = 0xFFFFFFFFu;
};

// The checksum of all memories after a run with this instruction set.
uint64_t run(const Recorded& one, const std::string& isa) {
    BoundKernel step = one.step;
    step.kernel = find_kernel(isa, step.signature);
    std::vector<Held> held;
    for (const std::string& memory : one.memories) {
        held.emplace_back(static_cast<char*>(allocate((memory.size() + 64) / 64 * 64)));
        std::memcpy(held.back().get(), memory.data(), memory.size());
    }
    for (size_t i = 0; i < step.arguments.size(); ++i)
        if (const uint64_t memory = one.places[2 * i])
            step.arguments[i] = uint64_t(uintptr_t(held[size_t(memory - 1)].get() + one.places[2 * i + 1]));
    const Outcome outcome = run_once(step);
    Crc32 sum;
    for (size_t i = 0; i < held.size(); ++i) sum.add(held[i].get(), one.memories[i].size());
    return uint64_t(~sum.value) ^ uint64_t(outcome.status) << 32;
}

int replay(const char* path) {
    Reader reader(path);
    int64_t steps = 0, wrong = 0, recorded = 0, sets = int64_t(instruction_sets().size());
    const uint64_t count = reader.word();
    for (; uint64_t(steps) < count; ++steps) {
        Recorded one;
        if (!read(reader, one)) {
            std::printf("%s: cannot be read, or is of other sources, at step %" PRId64 "\n", path, steps);
            return 1;
        }
        for (const std::string& isa : instruction_sets()) {
            set_num_threads(1);
            const uint64_t alone = run(one, isa);
            for (const Expected& each : one.expected)
                if (each.isa == isa && ++recorded && each.checksum != alone && ++wrong)
                    std::printf("%s, %s: other bits than recorded\n", one.step.signature->name, isa.c_str());
            for (const int threads : {2, 3, 8}) {
                set_num_threads(threads);
                if (run(one, isa) != alone && ++wrong)
                    std::printf("%s, %s: other bits with %d threads\n", one.step.signature->name, isa.c_str(), threads);
            }
        }
    }
    for (const std::string& isa : instruction_sets()) std::printf("%s ", isa.c_str());
    std::printf("on %d cores: %" PRId64 " steps, 1, 2, 3 and 8 threads; %" PRId64 " of %" PRId64
                " results compared with recorded ones; %" PRId64 " differ\n",
                available_cores(), steps, recorded, steps * sets, wrong);
    return wrong || !steps ? 1 : 0;
}

}  // namespace
}  // namespace pellucid

int main(int count, char** arguments) {
    if (count != 2) {
        std::puts("usage: replay FILE");
        return 2;
    }
    pellucid::prepare_threads();
    return pellucid::replay(arguments[1]);
}
