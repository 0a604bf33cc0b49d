#!/usr/bin/env bash
# Runs the kernel tests on kernels built with sanitizers, in folders of their own; fails on any report from our code.
#   PYTHON=.venv/bin/python scripts/sanitize.sh [address|undefined|thread|ci|all|build] [more arguments for pytest]
#   PYTHON=.venv/bin/python scripts/sanitize.sh fuzz [arguments for scripts/fuzz_geometry.py, e.g. --seconds 600]
# ci: address and undefined in one build. all (the default): that, and thread. build: what ci needs is compiled, and
# nothing run. fuzz: sizes, under address and undefined, with the vectors and tiles of each instruction set in turn; so
# many seconds each. Else one instruction set is built, with the vector width and register tiles of AVX2 on x86-64, in the
# baseline's place: the sources are the same for all.
set -eu
cd "$(dirname "$0")/.."
what=${1:-all}
[ $# -gt 0 ] && shift
python=$("${PYTHON:-python3}" -c 'import sys; print(sys.executable)')
cmake=$("$python" -c 'import cmake, os; print(os.path.join(cmake.CMAKE_BIN_DIR, "cmake"))' 2>/dev/null || echo cmake)
# Two halves, run side by side. Left out: what runs none of the kernels built here (the disassembly, NumPy's own
# reference, processes that only read the environment), and the largest of many alike.
first="tests/test_native.py tests/test_native_limits.py tests/test_ops.py tests/test_plan.py"
second="tests/test_fuzz_geometry.py tests/test_winograd.py tests/test_winograd_rows.py tests/test_native_pool.py tests/test_dense.py"
left_out="share_nothing or reference_itself or environment_forces or (pooled_winograd and deep and not relu)"

build() { # sanitizers, folder, more options for CMake
    local sanitizers=$1 folder=$2
    shift 2
    "$cmake" -S . -B "$folder" -DPELLUCID_SANITIZE="$sanitizers" -DPython_EXECUTABLE="$python" \
        -DPELLUCID_OUTPUT="$folder/module" "$@" >/dev/null
    "$cmake" --build "$folder" --parallel "${JOBS:-2}"
    rm -rf "$folder/package" "$folder"/report.* "$folder/first.log"
    mkdir -p "$folder/package"
    tar --create --exclude='_native*.so' --exclude=__pycache__ --directory=src pellucid |
        tar --extract --directory="$folder/package"
    cp "$folder"/module/_native* "$folder/package/pellucid/ops/"
}
folder_of() { echo "$PWD/build/sanitize-${1//,/-}"; }

check() {
    local sanitizers=$1 runtimes=$2 status=0 half
    local folder
    folder=$(folder_of "$sanitizers")
    shift 2
    build "$sanitizers" "$folder"
    echo "+ $sanitizers: $first $second"
    tests() { run_in "$folder" "$runtimes" -m pytest -q -s -p no:cacheprovider -k "not ($left_out)" "$@"; }
    tests $first "$@" >"$folder/first.log" 2>&1 &
    half=$!
    tests $second "$@" || status=$?
    wait $half || status=$?
    tail -n 20 "$folder/first.log"
    judge "$sanitizers" "$folder" "$status"
}

# Leaks are looked for, and those of Python itself (nothing of ours on the stack) let go. Without a random layout of
# memory (setarch -R) the thread sanitizer finds room for its shadow. OpenBLAS, under NumPy, synchronises its threads in
# a way that the thread sanitizer cannot see, so it gets one.
run_in() { # folder, runtimes, arguments for Python
    local folder=$1 runtimes=$2 preload="" runtime layout=""
    setarch -R true 2>/dev/null && layout="setarch -R" # some containers do not allow it
    shift 2
    for runtime in $runtimes libstdc++.so; do # the C++ library too, early enough for its exceptions to be seen
        preload="$preload $(g++ -print-file-name="$runtime")"
    done
    env PYTHONPATH="$folder/package" PYTHONMALLOC=malloc PELLUCID_REQUIRE_NATIVE=1 PELLUCID_NUM_THREADS=3 \
        OPENBLAS_NUM_THREADS=1 \
        ASAN_OPTIONS="log_path=$folder/report:exitcode=0:detect_leaks=1:allocator_may_return_null=1" \
        UBSAN_OPTIONS="log_path=$folder/report" \
        TSAN_OPTIONS="log_path=$folder/report:halt_on_error=1:die_after_fork=0" \
        LD_PRELOAD="$preload" $layout "$python" "$@"
}

judge() { # what, folder, status so far
    local sanitizers=$1 folder=$2 status=$3 found
    found=$(cat "$folder"/report.* 2>/dev/null | "$python" scripts/sanitizer_reports.py) || { echo "$found"; status=1; }
    [ "$status" -eq 0 ] || { echo "$sanitizers: failed" >&2; exit 1; }
    echo "$sanitizers: clean"
}

fuzz() {
    local set folder status
    for set in baseline avx2 avx512; do
        folder="$(folder_of address,undefined)-$set" status=0
        build address,undefined "$folder" -DPELLUCID_SANITIZE_SET=$set
        run_in "$folder" "libasan.so libubsan.so" scripts/fuzz_geometry.py "$@" || status=$?
        judge "sizes with the vectors of $set" "$folder" "$status"
    done
}

case $what in
    address) check address libasan.so "$@" ;;
    undefined) check undefined libubsan.so "$@" ;;
    build) build address,undefined "$(folder_of address,undefined)" ;;
    fuzz) fuzz "$@" ;;
    thread) check thread libtsan.so "$@" ;;
    ci) check address,undefined "libasan.so libubsan.so" "$@" ;;
    all)
        check address,undefined "libasan.so libubsan.so" "$@"
        check thread libtsan.so "$@"
        ;;
    *) echo "usage: scripts/sanitize.sh [address|undefined|thread|ci|all|build|fuzz]" >&2 && exit 2 ;;
esac
