"""One source, two speeds: plain functions that are compiled by numba where that pays.

A kernel is an ordinary Python function over lists and numbers. Called as it is, it is interpreted.
`compiled` gives the machine code of the same function, which takes arrays in place of the lists
and returns the same answers to the last bit: numba is used without its inexact options.

Machine code is kept on disk, in a folder named after all kernels' source, so that a change of one
of them is never answered by the old code of another.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import importlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_log = logging.getLogger("jupiter")
_lock = threading.RLock()
_kernels: list[Callable[..., Any]] = []
_machine_code: dict[Callable[..., Any], Callable[..., Any]] = {}
_helpers_known = 0
_thread: threading.Thread | None = None
_process: subprocess.Popen[bytes] | None = None
_COMPLETE = "complete"

MODULES = (
    "jupiter.schedulers.kernels.balancing",
    "jupiter.schedulers.kernels.by_order",
    "jupiter.schedulers.kernels.by_ready",
    "jupiter.schedulers.kernels.domains",
    "jupiter.schedulers.kernels.duplicate",
    "jupiter.schedulers.kernels.heap",
    "jupiter.schedulers.kernels.levels",
    "jupiter.schedulers.kernels.local_search",
    "jupiter.schedulers.kernels.orders",
    "jupiter.schedulers.kernels.proof",
    "jupiter.schedulers.kernels.state",
)
"""All modules with kernels; a test compares the list with the code."""


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that may be compiled and may be called from compiled code."""
    _kernels.append(function)
    return function


@cache
def is_available() -> bool:
    """Return whether numba is installed."""
    return find_spec("numba") is not None


def is_loaded(function: Callable[..., Any]) -> bool:
    """Return whether the machine code of a kernel is in this process already."""
    return function in _machine_code


def is_cached() -> bool:
    """Return whether the machine code of all kernels is on disk, so that it loads in 1 s."""
    return is_available() and (_folder() / _COMPLETE).exists()


def mark_cached() -> None:
    """Remember that the machine code of all kernels is on disk."""
    with contextlib.suppress(OSError):
        _folder().mkdir(parents=True, exist_ok=True)
        (_folder() / _COMPLETE).touch()


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Return a kernel as machine code; it takes arrays in place of lists.

    It is loaded from disk, or compiled at its first call, which takes seconds.
    """
    with _lock:
        found = _machine_code.get(function)
        if found is None:
            found = _build(function)
            _machine_code[function] = found
        return found


def get_ready(load: Callable[[], None], module: str) -> None:
    """Bring machine code closer, without making anybody wait; to be called again and again.

    Where it is on disk, it is loaded by a thread; where it is not, another process makes it, which
    ends with this one.

    Args:
        load: Calls compiled kernels.
        module: Its main program makes the machine code of all kernels.
    """
    global _thread, _process
    with _lock:
        if _machine_code or not is_available():
            return
        if is_cached():
            if _thread is None:
                _thread = threading.Thread(target=load, name="jupiter-kernels")
                _thread.start()
        elif _process is None:
            notice("compiling the schedulers once, in the background")
            _process = subprocess.Popen(
                [sys.executable, "-m", module],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            atexit.register(_end, _process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        process.wait()


def notice(text: str) -> None:
    """Tell the user why something takes longer than usual."""
    _log.warning(text)


def _build(function: Callable[P, R]) -> Callable[P, R]:
    global _helpers_known
    numba: Any = importlib.import_module("numba")
    extending: Any = importlib.import_module("numba.extending")
    for name in MODULES:
        importlib.import_module(name)
    for helper in _kernels[_helpers_known:]:
        extending.register_jitable(forceinline=True, _nrt=False)(helper)
    _helpers_known = len(_kernels)
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_folder())
    try:
        built: Callable[P, R] = numba.njit(cache=True, nogil=True, _nrt=False)(function)
    except RuntimeError:
        # The cache folder cannot be made or written: compile for this process only.
        built = numba.njit(nogil=True, _nrt=False)(function)
    finally:
        numba.config.CACHE_DIR = before
    return built


@cache
def _folder() -> Path:
    """Return the folder of the machine code of exactly these sources."""
    digest = hashlib.sha256(sys.version.encode())
    for name in MODULES:
        spec = find_spec(name)
        if spec is not None and spec.origin:
            # numba, too, takes code for stale when the file has moved or was written again.
            path = Path(spec.origin)
            digest.update(f"{path} {path.stat().st_mtime_ns}".encode())
            digest.update(path.read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jupiter" / f"kernels-{digest.hexdigest()[:16]}"
