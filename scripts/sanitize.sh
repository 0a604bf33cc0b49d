#!/usr/bin/env bash
# Runs the kernel tests on kernels built with sanitizers, in folders of their own; fails on any report from our code.
#   PYTHON=.venv/bin/python scripts/sanitize.sh [address|undefined|thread|ci|all|build] [more arguments for pytest]
# ci: address and undefined in one build. all (the default): that, and thread. build: what ci needs is compiled, and
# nothing run. One instruction set is built, with the vector width and register tiles of AVX2 on x86-64, in the
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

build() {
    local folder="$PWD/build/sanitize-${1//,/-}"
    "$cmake" -S . -B "$folder" -DPELLUCID_SANITIZE="$1" -DPython_EXECUTABLE="$python" \
        -DPELLUCID_OUTPUT="$folder/module" >/dev/null
    "$cmake" --build "$folder" --parallel "${JOBS:-2}"
}

check() {
    local sanitizers=$1 runtimes=$2 folder="$PWD/build/sanitize-${1//,/-}" preload="" runtime status=0 half
    local layout=""
    setarch -R true 2>/dev/null && layout="setarch -R" # some containers do not allow it
    shift 2
    build "$sanitizers"
    rm -rf "$folder/package" "$folder"/report.* "$folder/first.log"
    mkdir -p "$folder/package"
    tar --create --exclude='_native*.so' --exclude=__pycache__ --directory=src pellucid |
        tar --extract --directory="$folder/package"
    cp "$folder"/module/_native* "$folder/package/pellucid/ops/"
    for runtime in $runtimes libstdc++.so; do # the C++ library too, early enough for its exceptions to be seen
        preload="$preload $(g++ -print-file-name="$runtime")"
    done
    echo "+ $sanitizers: $first $second"
    # Leaks are looked for, and those of Python itself (nothing of ours on the stack) let go. Without a random layout
    # of memory (setarch -R) the thread sanitizer finds room for its shadow. OpenBLAS, under NumPy, synchronises its
    # threads in a way that the thread sanitizer cannot see, so it gets one.
    run() {
        env PYTHONPATH="$folder/package" PYTHONMALLOC=malloc PELLUCID_REQUIRE_NATIVE=1 PELLUCID_NUM_THREADS=3 \
            OPENBLAS_NUM_THREADS=1 \
            ASAN_OPTIONS="log_path=$folder/report:exitcode=0:detect_leaks=1" \
            UBSAN_OPTIONS="log_path=$folder/report" \
            TSAN_OPTIONS="log_path=$folder/report:halt_on_error=1:die_after_fork=0" \
            LD_PRELOAD="$preload" $layout "$python" -m pytest -q -s -p no:cacheprovider -k "not ($left_out)" "$@"
    }
    run $first "$@" >"$folder/first.log" 2>&1 &
    half=$!
    run $second "$@" || status=$?
    wait $half || status=$?
    tail -n 20 "$folder/first.log"
    local found
    found=$(cat "$folder"/report.* 2>/dev/null | "$python" scripts/sanitizer_reports.py) || { echo "$found"; status=1; }
    [ "$status" -eq 0 ] || { echo "$sanitizers: failed" >&2; exit 1; }
    echo "$sanitizers: clean"
}

case $what in
    address) check address libasan.so "$@" ;;
    undefined) check undefined libubsan.so "$@" ;;
    build) build address,undefined ;;
    thread) check thread libtsan.so "$@" ;;
    ci) check address,undefined "libasan.so libubsan.so" "$@" ;;
    all)
        check address,undefined "libasan.so libubsan.so" "$@"
        check thread libtsan.so "$@"
        ;;
    *) echo "usage: scripts/sanitize.sh [address|undefined|thread|ci|all|build]" >&2 && exit 2 ;;
esac
