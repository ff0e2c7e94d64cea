"""What a process keeps of the memory that it was given."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_memory_that_is_let_go_stays_in_the_process():
    """Four blocks of 24 MB that a thread let go are kept for the next one; by itself the C library gives them back."""
    assert still_held(tuned=True) > 90
    assert still_held(tuned=False) < 10


def still_held(tuned: bool) -> float:
    """How many MB more a process holds after a thread of it has taken four blocks of 24 MB and let them go."""
    script = (
        "import resource, threading, torch; from engine import processes\n"
        f"if {tuned}: assert processes.keep_memory()\n"
        "def held(): return int(open('/proc/self/statm').read().split()[1]) * resource.getpagesize() / 2**20\n"
        "def work(): [torch.ones(6 << 20) for _ in range(4)]\n"
        "before = held()\n"
        "thread = threading.Thread(target=work)\n"
        "thread.start()\n"
        "thread.join()\n"
        "print(held() - before)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_a_process_has_not_held_what_the_one_that_started_it_holds():
    """A training started by a large page would otherwise seem to need as much."""
    child = "from engine.processes import peak_memory; print(peak_memory())"
    start = f"subprocess.run([sys.executable, '-c', {child!r}])"
    parent = f"import subprocess, sys; held = bytearray(b'1' * 400_000_000); {start}"
    done = subprocess.run([sys.executable, "-c", parent], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 10**6 < int(done.stdout) < 200_000_000
