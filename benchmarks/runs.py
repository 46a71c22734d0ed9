"""Runs the systems of the stream benchmark, each in a process of its own that leaves nothing."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console

from peers import SYSTEMS
from peers.common import Measured

IN_FLIGHT = 50
SIZES = {"1 KB": (1_000, 600), "100 KB": (100_000, 160), "10 MB": (10_000_000, 12)}
"""Payload in bytes, and items of a stream through the fastest systems."""
LONE_ITEMS = 12
ONE_S_MAX = 240
"""A measurement that has not ended by then has failed."""
_DEATH_SIGNAL, _CHILD_SUBREAPER = 1, 36  # of prctl(2)


@dataclass(frozen=True)
class One:
    """What a system gave in one round.

    Attributes:
        items: Under load.
        loaded: With many items in flight.
        lone: With one at a time.
    """

    items: int
    loaded: Measured
    lone: Measured


def own_all_descendants() -> None:
    """Become the parent of everything below whose own parent ends, so that all of it is found."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, 1)


def measure_here(name: str, size_name: str, folder: str) -> None:
    """Measure one system once, in this process, and print the figures as JSON."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    system = SYSTEMS[name]
    size, items = SIZES[size_name]
    items = max(6, int(items * system.items_share))
    lone_items = min(items, LONE_ITEMS) // (1 if system.items_share > 0.1 else 2)
    with system.started(Path(folder)) as stream:
        stream(3, size, 1)  # what is started at first use has started
        one = One(items, stream(items, size, IN_FLIGHT), stream(lone_items, size, 1))
    print(json.dumps(asdict(one)))


class Runs:
    """What was measured up to now.

    Args:
        names: Of the systems that can be measured.
    """

    def __init__(self, names: set[str]) -> None:
        self._names = [name for name in SYSTEMS if name in names]
        self.found: dict[tuple[str, str], list[One]] = {}

    def measure(
        self, size_name: str, rounds: int, limit_s: float, console: Console
    ) -> dict[str, str]:
        """Measure all systems in turn; return those that failed, and why.

        Those whose tasks have no files take part in the first round only. No round begins that
        would not end within the limit.
        """
        start_s = time.monotonic()
        size = SIZES[size_name][0]
        names = [name for name in self._names if size <= SYSTEMS[name].size_bytes_max]
        left_out = [name for name in self._names if name not in names]
        if left_out:
            console.print(f"not run at {size_name}: {', '.join(left_out)}")
        problems: dict[str, str] = {}
        for k in range(rounds):
            used_s = time.monotonic() - start_s
            if k and used_s * (k + 1) / k > limit_s:
                console.print(f"[bold red]{size_name}: only {k} of {rounds} rounds fit the time")
                break
            for name in names:
                console.print(f"[dim]{size_name}, round {k + 1}: {name}", highlight=False)
                answer = _measure_apart(name, size_name)
                if isinstance(answer, One):
                    self.found.setdefault((name, size_name), []).append(answer)
                else:
                    problems[f"{name} at {size_name}"] = answer
                    self.found.pop((name, size_name), None)
            names = [
                name
                for name in names
                if (name, size_name) in self.found and SYSTEMS[name].has_files
            ]
        return problems

    def rate(self, name: str, size_name: str) -> float:
        """Return the median items a second."""
        return median(one.loaded.items_per_s for one in self.found[name, size_name])

    def ratio(self, name: str, other: str, size_name: str) -> float:
        """Return the median over the rounds of the ratio of items a second."""
        pairs = zip(self.found[name, size_name], self.found[other, size_name], strict=False)
        return median(a.loaded.items_per_s / b.loaded.items_per_s for a, b in pairs)

    def lone_s(self, name: str, size_name: str) -> float:
        """Return the median latency of an item that is alone."""
        ones = self.found[name, size_name]
        return median(value for one in ones for value in one.lone.latencies_s)


def _measure_apart(name: str, size_name: str) -> One | str:
    """Measure one system in a process of its own; end all that it leaves behind."""
    folder = tempfile.mkdtemp(prefix=f"jupiter-bench-{name}-")
    script = str(Path(__file__).with_name("stream.py"))
    words = [sys.executable, script, "--one", name, size_name, folder]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors)
        try:
            output, _ = process.communicate(timeout=ONE_S_MAX)
            if process.returncode:
                errors.seek(max(0, errors.seek(0, os.SEEK_END) - 1500))
                return f"exit code {process.returncode}: {errors.read().decode(errors='replace')}"
            return _read(output)
        except subprocess.TimeoutExpired:
            return f"had not ended after {ONE_S_MAX} s"
        finally:
            _end_descendants()
            process.wait()
            shutil.rmtree(folder, ignore_errors=True)


def _read(output: bytes) -> One:
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return One(found["items"], Measured(**found["loaded"]), Measured(**found["lone"]))


def _end_descendants() -> None:
    """End every process below this one: first by request, then by force."""
    for end in (psutil.Process.terminate, psutil.Process.kill):
        left = psutil.Process().children(recursive=True)
        for process in left:
            with suppress(psutil.Error):
                end(process)
        psutil.wait_procs(left, timeout=5)
