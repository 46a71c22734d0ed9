"""One source, two speeds: plain functions that are compiled by numba where that pays.

A kernel is an ordinary Python function over lists and numbers. Called as it is, it is interpreted.
`compiled` gives the machine code of the same function, which takes arrays in place of the lists
and returns the same answers to the last bit: numba is used without its inexact options.

Machine code is kept on disk, in a folder named after all kernels' source, so that a change of one
of them is never answered by the old code of another.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
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
_background: threading.Thread | None = None

MODULES = (
    "jupiter.schedulers.by_order",
    "jupiter.schedulers.by_ready",
    "jupiter.schedulers.domains",
    "jupiter.schedulers.heap",
    "jupiter.schedulers.levels",
    "jupiter.schedulers.orders",
    "jupiter.schedulers.state",
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


def is_cached(function: Callable[..., Any]) -> bool:
    """Return whether the machine code of a kernel is on disk, so that loading takes about 1 s."""
    if not is_available():
        return False
    name = function.__qualname__
    return any(_folder().glob(f"**/*{name}-*.nbi"))


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


def compile_later(work: Callable[[], None]) -> None:
    """Do some work, which calls compiled kernels, in the background; once at a time."""
    global _background
    with _lock:
        if _background is not None and _background.is_alive():
            return
        _background = threading.Thread(target=work, name="jupiter-compile", daemon=True)
        _background.start()


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
            digest.update(Path(spec.origin).read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jupiter" / f"kernels-{digest.hexdigest()[:16]}"
