// Steps and programs as Python has them: arrays are checked here, where their pointers are taken: element types,
// contiguity, writability; runtime/checks.cpp compares their lengths with the sizes, and the sizes with their limits.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "runtime/parallel.hpp"
#include "runtime/program.hpp"

namespace nb = nanobind;

namespace pellucid {
namespace {

struct Refusal : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::string chosen_set;  // the instruction set of steps made from now on

const char* type_name(char letter) {
    switch (letter) {
        case 'f': return "float32";
        case 'd': return "float64";
        case 'i': return "int32";
        case 'l': return "int64";
        case 'I': return "uint32";
        default: return "uint8";
    }
}

// Whether a buffer's format string is the type; 'l' and 'q' are both int64 where long has 8 bytes.
bool same_type(const char* format, Py_ssize_t itemsize, char letter) {
    if (!format || format[0] == 0) return letter == 'B';
    if (*format == '@' || *format == '=' || *format == '<') ++format;
    if (format[0] == 0 || format[1] != 0) return false;
    switch (letter) {
        case 'l': return itemsize == 8 && (*format == 'l' || *format == 'q');
        case 'i': return itemsize == 4 && (*format == 'i' || *format == 'l');
        case 'I': return itemsize == 4 && (*format == 'I' || *format == 'L');
        default: return *format == letter;
    }
}

// The names of a kernel's fields as Python keeps them, so that no look-up makes and hashes them.
PyObject* const* names_of(const Signature* signature) {
    static const std::vector<std::vector<PyObject*>> all = [] {
        int64_t count = 0;
        const Signature* table = signatures(count);
        std::vector<std::vector<PyObject*>> names(static_cast<size_t>(count));
        for (int64_t i = 0; i < count; ++i)
            for (const Field* f = table[i].fields; f != table[i].fields + table[i].count; ++f)
                names[size_t(i)].push_back(PyUnicode_InternFromString(f->name));
        return names;
    }();
    int64_t count = 0;
    return all[size_t(signature - signatures(count))].data();
}

// A bound kernel that keeps its arrays alive.
struct Step : BoundKernel {
    Step(const std::string& name, nb::dict values) {
        signature = find_signature(name);
        if (!signature) throw Refusal("there is no kernel named '" + name + "'");
        kernel = find_kernel(chosen_set, signature);
        if (int64_t(nb::len(values)) != signature->count)
            throw Refusal("kernel '" + name + "' takes " + std::to_string(signature->count) + " fields, got " +
                          std::to_string(nb::len(values)));
        arguments.resize(size_t(signature->count));
        std::vector<int64_t> entries;
        PyObject* const* const names = names_of(signature);
        for (int64_t i = 0; i < signature->count; ++i) {
            const Field& field = signature->fields[i];
            PyObject* value = PyDict_GetItemWithError(values.ptr(), names[i]);
            if (!value) throw Refusal("kernel '" + name + "' was not given its field '" + field.name + "'");
            arguments[size_t(i)] = word_of(field, value, entries);
        }
        const std::string wrong = objection(*this, entries);
        if (!wrong.empty()) throw Refusal(name + ": " + wrong);
    }

    uint64_t word_of(const Field& field, PyObject* value, std::vector<int64_t>& entries) {
        uint64_t word = 0;
        if (field.kind == Kind::size) {
            int overflow = 0;
            const long long size = PyLong_AsLongLongAndOverflow(value, &overflow);
            if (size == -1 && PyErr_Occurred()) throw nb::python_error();
            if (size < 0 || overflow) throw refusal(field, "must be a size from 0 to below 2^63");
            word = uint64_t(size);
        } else if (field.kind == Kind::real) {
            const double real = PyFloat_AsDouble(value);
            if (real == -1.0 && PyErr_Occurred()) throw nb::python_error();
            static_assert(sizeof real == sizeof word, "a field takes 8 bytes");
            memcpy(&word, &real, sizeof word);
        } else if (value == Py_None) {
            entries.push_back(0);
        } else {
            word = uint64_t(reinterpret_cast<uintptr_t>(pointer_of(field, value, entries)));
            arrays.push_back(nb::borrow(value));
        }
        return word;
    }

    void* pointer_of(const Field& field, PyObject* value, std::vector<int64_t>& entries) {
        Py_buffer view;
        const int flags = PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (field.writable ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(value, &view, flags) != 0) {
            PyErr_Clear();
            throw refusal(field, std::string(field.writable ? "must be a writable" : "must be a") +
                                     " C-contiguous array");
        }
        const bool fits = same_type(view.format, view.itemsize, field.type);
        void* data = view.buf;
        const Py_ssize_t itemsize = std::max<Py_ssize_t>(view.itemsize, 1);
        const bool aligned = reinterpret_cast<uintptr_t>(data) % size_t(itemsize) == 0;
        entries.push_back(int64_t(view.len / itemsize));
        PyBuffer_Release(&view);
        if (!fits) throw refusal(field, std::string("must be ") + type_name(field.type));
        if (!aligned) throw refusal(field, "must lie at a multiple of its element's size");
        return data;
    }

    Refusal refusal(const Field& field, const std::string& what) const {
        return Refusal(std::string(signature->name) + ": '" + field.name + "' " + what);
    }

    void expect_all() const {
        if (missing) throw Refusal(std::string(signature->name) + " cannot run without '" + missing + "'");
    }

    std::vector<nb::object> arrays;
};

// Calls work() without the GIL. A thread that asks for it while Python ends is ended by unwinding its stack, which
// would abort the process on its way through C++: such a thread waits here for the end.
template <typename Work>
void without_gil(const Work& work) {
    struct Release {
        PyThreadState* const state = PyEval_SaveThread();
        ~Release() {
            try {
                PyEval_RestoreThread(state);
            } catch (...) {
                for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
            }
        }
    } release;
    work();
}

// A program's work, and what there is to say after it.
template <typename Work>
void perform(const Work& work) {
    without_gil(work);
    const int wanted = take_wanted_threads();
    if (wanted == 0) return;
    const std::string text = "only " + std::to_string(num_threads()) + " of " + std::to_string(wanted) +
                             " threads could be started; going on with those. The system allows no more threads or no "
                             "more memory (see ulimit -u, ulimit -v, and the limits of the container)";
    if (PyErr_WarnEx(PyExc_RuntimeWarning, text.c_str(), 1) != 0) PyErr_WriteUnraisable(nullptr);  // the work stands
}

void check(const Outcome& outcome) {
    if (outcome.status == kOutOfMemory) {
        PyErr_Format(PyExc_MemoryError, "no memory for the working space of kernel '%s'", outcome.kernel);
        throw nb::python_error();
    }
    if (outcome.status == kIndexOutOfRange)
        throw Refusal(std::string(outcome.kernel) + ": an index lies outside its array");
    if (outcome.status == kLabelOutOfRange)
        throw Refusal(std::string(outcome.kernel) + ": a label lies outside the classes");
}

// The memory of an array, held until it goes.
struct View {
    View(PyObject* array, int writable) {
        if (PyObject_GetBuffer(array, &buffer, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | writable) == 0) return;
        PyErr_Clear();
        throw Refusal(std::string("a run needs ") + (writable ? "writable " : "") + "C-contiguous arrays");
    }
    View(const View&) = delete;
    View& operator=(const View&) = delete;
    ~View() { PyBuffer_Release(&buffer); }
    Py_buffer buffer;
};

// The changes that a list of (array, values) describes; holds their memory until it goes.
struct Changes {
    Changes(const nb::sequence& pairs, int64_t count) {
        for (nb::handle pair : pairs) {
            const Py_buffer &memory = take(pair[0]), &values = take(pair[1]);
            const size_t bytes = size_t(memory.len);
            const size_t given = size_t(values.len);
            if (count < 0 || (bytes ? given % bytes || given / bytes != size_t(count) : given))
                throw Refusal("run_steps: an array of " + std::to_string(bytes) + " bytes was given values of " +
                              std::to_string(values.len) + " bytes for " + std::to_string(count) + " runs");
            list.push_back({static_cast<char*>(memory.buf), static_cast<char*>(values.buf), bytes});
        }
    }

    const Py_buffer& take(const nb::object& array) {
        views.push_back(std::make_unique<View>(array.ptr(), PyBUF_WRITABLE));
        return views.back()->buffer;
    }

    std::vector<Change> list;
    std::vector<std::unique_ptr<View>> views;
};

// The memory of arrays (N, ...), for as long as the program keeps these.
std::vector<Whole> whole_of(const std::vector<nb::object>& arrays) {
    std::vector<Whole> whole;
    for (const nb::object& array : arrays) {
        Py_buffer view;
        if (PyObject_GetBuffer(array.ptr(), &view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE) != 0) throw nb::python_error();
        const bool some = view.ndim > 0 && view.len > 0;
        if (some) whole.push_back({static_cast<char*>(view.buf), size_t(view.len), int64_t(view.shape[0])});
        PyBuffer_Release(&view);
        if (!some) throw Refusal("a program's whole arrays must hold pictures");
    }
    return whole;
}

// The bytes of arrays as they were when this was made.
struct Snapshot {
    explicit Snapshot(const nb::sequence& arrays) {
        for (nb::handle array : arrays) {
            views.push_back(std::make_unique<View>(array.ptr(), 0));
            const Py_buffer& now = views.back()->buffer;
            bytes.append(static_cast<const char*>(now.buf), size_t(now.len));
        }
    }

    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;

    bool holds() const {
        const char* then = bytes.data();
        for (const auto& view : views) {
            const size_t size = size_t(view->buffer.len);
            if (memcmp(view->buffer.buf, then, size) != 0) return false;
            then += size;
        }
        return true;
    }

    std::vector<std::unique_ptr<View>> views;
    std::string bytes;
};

struct Program {
    Program(std::vector<const Step*> given, bool fixed_weights, std::vector<nb::object> whole)
        : data(std::vector<const BoundKernel*>(given.begin(), given.end()), fixed_weights, whole_of(whole)),
          arrays(whole) {
        for (const Step* step : given) {
            step->expect_all();
            arrays.insert(arrays.end(), step->arrays.begin(), step->arrays.end());
        }
    }

    void expect_batch(int64_t n) const {
        if (n > data.largest_batch() && n >= 0 && data.largest_batch() >= 0)
            throw Refusal("a program built for N = " + std::to_string(data.largest_batch()) + " cannot run N = " +
                          std::to_string(n));
    }

    // How many of `count` runs ended well: fewer where a number was not finite.
    int64_t run_steps(int64_t n, int64_t count, const nb::sequence& before, const nb::sequence& after) {
        expect_batch(n);
        if (count < 0 || count > INT32_MAX) throw Refusal("run_steps: cannot make " + std::to_string(count) + " runs");
        const Changes in(before, count), out(after, count);
        Outcome outcome;
        int64_t done = 0;
        perform([&] { outcome = data.run_steps(n, count, in.list, out.list, done); });
        check(outcome);
        return done;
    }

    // False if a step ended it because a number was not finite. With `memory` (N, ...), which steps only read, they read
    // the pictures of `instead` (n, ...) where these lie.
    bool run(int64_t n, nb::object memory, nb::object instead) {
        expect_batch(n);
        Outcome outcome;
        if (memory.is_none()) {
            perform([&] { outcome = data.run(n); });
        } else {
            const View held(memory.ptr(), 0), given(instead.ptr(), 0);
            const Py_buffer &m = held.buffer, &g = given.buffer;
            const bool alike = m.ndim > 0 && m.ndim == g.ndim && m.itemsize == g.itemsize &&
                               std::string(m.format) == g.format && std::equal(m.shape + 1, m.shape + m.ndim, g.shape + 1);
            if (!alike || n < 0 || g.shape[0] < n || uintptr_t(g.buf) % size_t(std::max<Py_ssize_t>(g.itemsize, 1)))
                throw Refusal("run: what is read instead must be pictures like those of the program");
            const Elsewhere elsewhere{static_cast<const char*>(m.buf), size_t(m.len), static_cast<const char*>(g.buf)};
            if (!data.only_reads(elsewhere)) throw Refusal("run: a step writes into what it should read elsewhere");
            perform([&] { outcome = data.run(n, elsewhere); });
        }
        check(outcome);
        return outcome.status != kNotFinite;
    }

    bool only_reads(nb::object memory) const {
        const View held(memory.ptr(), 0);
        return data.only_reads({static_cast<const char*>(held.buffer.buf), size_t(held.buffer.len), nullptr});
    }

    ProgramData data;
    std::vector<nb::object> arrays;
};

}  // namespace
}  // namespace pellucid
