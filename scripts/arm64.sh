#!/usr/bin/env bash
# Runs the kernel tests on Linux arm64, emulated: a root of Debian's arm64 packages, kernels compiled for it by a cross
# compiler, and the processor by qemu. A quarter of an hour. Needs root, on Debian or Ubuntu, and
#   apt install mmdebstrap qemu-user-static g++-aarch64-linux-gnu
#   [PYTHON=python] scripts/arm64.sh [arguments for pytest instead of the kernel tests]
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3)}
work=$PWD/build/arm64
root=$work/root
[ $# -gt 0 ] || set -- -rs tests/test_native.py tests/test_native_limits.py tests/test_native_pool.py tests/test_ops.py \
    tests/test_winograd_rows.py

binfmt=/proc/sys/fs/binfmt_misc
[ -e $binfmt/register ] || mount -t binfmt_misc none $binfmt
[ -e $binfmt/qemu-aarch64 ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >$binfmt/register

if [ ! -e "$root/complete" ]; then
    rm -rf "$root"
    mkdir -p "$work"
    mmdebstrap --quiet --variant=extract --architectures=arm64 --include=python3,python3-dev,libstdc++6 \
        "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root"
    mkdir -p "$root/proc" "$root/dev" "$root/work"
    version=$("$root/usr/bin/python3" --version 2>/dev/null || QEMU_LD_PREFIX=$root "$root/usr/bin/python3" --version)
    needed=$("$python" -c 'import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
tests = project["optional-dependencies"]["test-kernels"]
print(*(one.replace(" ", "") for one in [*project["dependencies"], *tests]))')
    "$python" -m pip install --quiet --target "$root/packages" --only-binary=:all: --implementation cp \
        --python-version "$(echo "${version#Python }" | cut -d. -f1,2)" --platform manylinux2014_aarch64 \
        --platform manylinux_2_17_aarch64 --platform manylinux_2_28_aarch64 $needed
    touch "$root/complete"
fi

export QEMU_LD_PREFIX=$root
cmake -S . -B "$work/kernels" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_CXX_FLAGS="-idirafter $root/usr/include" \
    -DCMAKE_FIND_ROOT_PATH="$root" -DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY \
    -DPython_EXECUTABLE="$(readlink -f "$root/usr/bin/python3")" \
    -Dnanobind_ROOT="$("$python" -m nanobind --cmake_dir)" -DPELLUCID_OUTPUT="$work/module" >/dev/null
cmake --build "$work/kernels" --parallel "${JOBS:-2}"
"$python" scripts/check_kernels.py "$work/kernels" aarch64-linux-gnu-

rm -rf "$root/work"
mkdir "$root/work"
tar --create --exclude='_native*.so' --exclude=__pycache__ src tests scripts native docs pyproject.toml README.md |
    tar --extract --directory="$root/work"
cp "$work"/module/_native* "$root/work/src/pellucid/ops/"
# In mounts of its own, gone when it ends. The disassembly is looked at above.
exec unshare --mount bash -eu -c '
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec env -i PATH=/usr/sbin:/usr/bin:/bin HOME=/tmp PYTHONPATH=/work/src:/packages PELLUCID_REQUIRE_NATIVE=1 \
    OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 chroot "$root" /usr/bin/python3 -c "
import os, sys
os.chdir(\"/work\")
os.execv(sys.executable, [sys.executable, \"-m\", \"pytest\", \"-q\", \"-p\", \"no:cacheprovider\", *sys.argv[1:]])" "$@"
' bash "$root" -n "${JOBS:-2}" "$@"
