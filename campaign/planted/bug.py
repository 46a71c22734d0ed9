"""What a planted bug is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Patch = tuple[Any, str, Any]
"""A class, an attribute of it, and what takes its place."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One planted bug.

    Attributes:
        name: Short.
        what: What is wrong, in a sentence.
        patches: Make it.
    """

    name: str
    what: str
    patches: Callable[[], list[Patch]]


def planted(what: str) -> Callable[[Callable[[], list[Patch]]], Bug]:
    """Make a bug of a function that returns its patches; its name is that of the function."""

    def bug(patches: Callable[[], list[Patch]]) -> Bug:
        return Bug(patches.__name__.replace("_", "-"), what, patches)

    return bug
