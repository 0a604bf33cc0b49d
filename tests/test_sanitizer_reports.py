"""scripts/sanitizer_reports.py: which of the sanitizers' reports are ours to mend."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "sanitizer_reports.py"
HEAD = "==7==ERROR: LeakSanitizer: detected memory leaks"
PYTHONS = """Direct leak of 48 byte(s) in 2 object(s) allocated from:
    #0 0x7ffff78b89cf in __interceptor_malloc ../../../../src/libsanitizer/asan/asan_malloc_linux.cpp:69
    #1 0x7ffff6776c89 in PyFloat_FromDouble Objects/floatobject.c:149"""
OURS = {
    "a function": "    #1 0x7fff01 in pellucid::parallel_for(long, double, void (*)(void*)) (/x/_other.so+0x1)",
    "a line": "    #1 0x7fff01 in load_lanes /home/me/native/common/vec.hpp:67",
    "the binding": "    #1 0x7fff01 in nb::detail::call(void*) /x/include/nb_func.h:341",
    "no symbols": "    #1 0x7fff01  (/x/package/pellucid/ops/_native.cpython-311-x86_64-linux-gnu.so+0x67cf8b)",
}
OVERRUN = """==446==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x6120001d5abc at pc 0x7fff
READ of size 32 at 0x6120001d5abc thread T0
    #0 0x7fffef87cf8b in load /x/numpy/anything.c:32"""
UNDEFINED = "native/common/vec.hpp:32:5: runtime error: signed integer overflow: 2147483647 + 1 cannot be represented"


def ours(*blocks: str) -> list[str]:
    found: list[str] = runpy.run_path(str(SCRIPT))["ours"]("\n\n".join(blocks) + "\n")
    return found


def test_what_python_leaks_is_let_go() -> None:
    assert ours(HEAD, PYTHONS, "SUMMARY: AddressSanitizer: 48 byte(s) leaked in 2 allocation(s).") == []
    assert ours("") == []


@pytest.mark.parametrize("frame", OURS)
def test_a_leak_with_one_of_our_frames_is_ours(frame: str) -> None:
    leak = PYTHONS + "\n" + OURS[frame]
    assert ours(HEAD, PYTHONS, leak) == [leak]


def test_every_other_report_is_ours_wherever_it_is() -> None:
    assert ours(OVERRUN, HEAD, PYTHONS) == [OVERRUN]
    assert ours(UNDEFINED) == [UNDEFINED]
