#!/usr/bin/env bash
# Builds the kernels into src/pellucid/ops, for work with PYTHONPATH=src.
#   PYTHON=.venv/bin/python scripts/build_native.sh [extra CMake options, e.g. -DPELLUCID_EMULATE_AVX512=ON]
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
cmake=$("$python" -c 'import cmake, os; print(os.path.join(cmake.CMAKE_BIN_DIR, "cmake"))' 2>/dev/null || echo cmake)
"$cmake" -S . -B build/develop -DCMAKE_BUILD_TYPE=Release -DPELLUCID_EMULATE_AVX512=OFF \
    -DPython_EXECUTABLE="$("$python" -c 'import sys; print(sys.executable)')" \
    -DPELLUCID_OUTPUT="$PWD/src/pellucid/ops" "$@" >/dev/null
"$cmake" --build build/develop --parallel "${JOBS:-2}"
# what the module holds, for type checkers; nothing can be imported where NumPy is missing
if "$python" -c 'import numpy' 2>/dev/null; then
    "$python" -m nanobind.stubgen --quiet --import src --module pellucid.ops._native \
        --output-file src/pellucid/ops/_native.pyi
fi
