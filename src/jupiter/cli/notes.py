"""Warnings and notes about inputs, on the error output."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from jupiter.errors import Fault


def tell(notes: Iterable[Fault]) -> None:
    """Print notes, one a line."""
    for note in notes:
        sys.stderr.write(f"{note}\n")
