// The Python module: steps, programs, threads, instruction sets. ops/native, which makes the fields, has seen to shapes.
#include <new>

#include "runtime/held.hpp"

namespace pellucid {
namespace {

// The arrays that a step was given, by name.
nb::list arrays_of(const Step& step) {
    nb::list names;
    for (int64_t i = 0; i < step.signature->count; ++i)
        if (step.signature->fields[i].kind == Kind::array && step.arguments[size_t(i)])
            names.append(step.signature->fields[i].name);
    return names;
}

// The whole numbers a step was given, by name: what its cost follows from, with the arrays there are.
nb::dict sizes_of(const Step& step) {
    nb::dict sizes;
    for (int64_t i = 0; i < step.signature->count; ++i)
        if (step.signature->fields[i].kind == Kind::size)
            sizes[step.signature->fields[i].name] = int64_t(step.arguments[size_t(i)]);
    return sizes;
}

// All that a step was given, by name, in the order of the kernel's struct: its arrays, or None, and its numbers.
nb::dict fields_of(const Step& step) {
    nb::dict fields;
    auto array = step.arrays.begin();
    for (int64_t i = 0; i < step.signature->count; ++i) {
        const Field& field = step.signature->fields[i];
        const uint64_t word = step.arguments[size_t(i)];
        double real;
        memcpy(&real, &word, sizeof real);
        if (field.kind == Kind::size) fields[field.name] = int64_t(word);
        else if (field.kind == Kind::real) fields[field.name] = real;
        else fields[field.name] = word ? *array++ : nb::none();
    }
    return fields;
}

void run_step(const Step& step) {
    step.expect_all();
    Outcome outcome;
    perform([&] { outcome = run_once(step); });
    check(outcome);
}

void use(const std::string& name) {
    for (const std::string& present : instruction_sets())
        if (present == name) {
            chosen_set = name;
            return;
        }
    std::string known;
    for (const std::string& present : instruction_sets()) known += (known.empty() ? "" : ", ") + present;
    bool built = false;
    for (const std::string& each : built_instruction_sets()) built = built || each == name;
    throw Refusal("instruction set '" + name + "' " +
                  (built ? "is not one this machine has" : "is unknown") + "; here: " + known);
}

// kernel -> [(field, kind, element type, writable, extent)]: what Python makes a step's fields by.
nb::dict kernel_fields() {
    static const char* const kinds[] = {"array", "size", "real"};
    nb::dict all;
    int64_t count = 0;
    const Signature* table = signatures(count);
    for (int64_t i = 0; i < count; ++i) {
        nb::list fields;
        for (const Field* f = table[i].fields; f != table[i].fields + table[i].count; ++f)
            fields.append(nb::make_tuple(f->name, kinds[int(f->kind)], type_name(f->type), f->writable, f->extent));
        all[table[i].name] = fields;
    }
    return all;
}

// size -> its words in the order of their numbers, where it holds a choice.
nb::dict field_choices() {
    nb::dict all;
    for (const Choices& each : choices()) {
        nb::list words;
        for (const char* word : each.words) words.append(word);
        all[each.field] = words;
    }
    return all;
}

}  // namespace

NB_MODULE(_native, m) {
    static PyObject* backend_error =
        nb::object(nb::module_::import_("pellucid.errors").attr("BackendError")).release().ptr();
    nb::register_exception_translator([](const std::exception_ptr& p, void*) {
        try {
            std::rethrow_exception(p);
        } catch (const Refusal& refusal) {
            PyErr_SetString(backend_error, refusal.what());
        } catch (const std::bad_alloc&) {
            PyErr_SetString(PyExc_MemoryError, "no memory for the working space of the kernels");
        }
    });
    chosen_set = instruction_sets().front();
    prepare_threads();
    nb::set_leak_warnings(false);  // at exit, a thread that Python has ended still holds what it worked on

    nb::class_<Step>(m, "Step")
        .def(nb::init<const std::string&, nb::dict>(), nb::arg("kernel"), nb::arg("values"),
             nb::sig("def __init__(self, kernel: str, values: dict[str, object]) -> None"))
        .def_prop_ro("kernel", [](const Step& s) { return std::string(s.signature->name); })
        .def_prop_ro("workspace_bytes", [](const Step& s) { return s.workspace_bytes() + s.prepared_bytes(); })
        .def_prop_ro("sizes", &sizes_of, nb::sig("def sizes(self) -> dict[str, int]"))
        .def_prop_ro("arrays", &arrays_of, nb::sig("def arrays(self) -> list[str]"))
        .def_prop_ro("fields", &fields_of, nb::sig("def fields(self) -> dict[str, object]"))
        .def_prop_ro("algorithm", [](const Step& s) { return s.algorithm(); })
        .def_prop_ro("batch", [](const Step& s) { return s.built_batch(); });
    nb::class_<Program>(m, "Program")
        .def(nb::init<std::vector<const Step*>, bool, std::vector<nb::object>>(), nb::arg("steps"),
             nb::arg("fixed_weights") = false, nb::arg("whole") = nb::make_tuple())
        .def("refresh", [](Program& p) { without_gil([&] { p.data.refresh(); }); })
        .def("run", &Program::run, nb::arg("n") = -1, nb::arg("memory") = nb::none(), nb::arg("instead") = nb::none())
        .def("only_reads", &Program::only_reads, nb::arg("memory"))
        .def("run_steps", &Program::run_steps, nb::arg("n"), nb::arg("count"), nb::arg("before"), nb::arg("after"),
             nb::sig("def run_steps(self, n: int, count: int, before: Sequence[tuple[object, object]], "
                     "after: Sequence[tuple[object, object]]) -> int"))
        .def("__len__", [](const Program& p) { return p.data.size(); })
        .def_prop_ro("batch", [](const Program& p) { return p.data.largest_batch(); })
        .def_prop_ro("workspace_bytes", [](const Program& p) { return p.data.workspace_bytes(); });
    nb::class_<Snapshot>(m, "Snapshot")
        .def(nb::init<const nb::sequence&>(), nb::arg("arrays"),
             nb::sig("def __init__(self, arrays: Sequence[object]) -> None"))
        .def("holds", &Snapshot::holds);
    m.def("run", &run_step, nb::arg("step"));
    m.def("kernel_fields", &kernel_fields,
          nb::sig("def kernel_fields() -> dict[str, list[tuple[str, str, str, bool, str]]]"));
    m.def("field_choices", &field_choices, nb::sig("def field_choices() -> dict[str, list[str]]"));
    m.def("instruction_sets", &instruction_sets);
    m.def("instruction_set", [] { return chosen_set; });
    m.def("vector_floats", [] { return vector_floats(chosen_set); });
    m.def("use_instruction_set", &use, nb::arg("name"));
    m.def("available_cores", &available_cores);
    m.def("recomputed", &recomputed);
    m.def("num_threads", &num_threads);
    m.def("set_num_threads", [](int count) { without_gil([&] { set_num_threads(count); }); }, nb::arg("count"));
}

}  // namespace pellucid
