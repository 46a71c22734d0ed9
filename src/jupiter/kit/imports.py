"""Imports that cost no more than what is used of them: an agent that died must be back soon."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(name: str) -> Iterator[None]:
    """Let what is imported meanwhile do without a module that is optional for it.

    A module that is loaded already stays as it is.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # says "not here"
    try:
        yield
    finally:
        del sys.modules[name]
