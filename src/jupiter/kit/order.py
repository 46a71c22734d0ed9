"""The order in which people list names that hold numbers."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"([0-9]{1,18})")


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key by which ``part10`` follows ``part9``.

    Workers sort the outputs of a task in the same way (`agent.worker_main`), with code of their
    own, as they import nothing from here.
    """
    return [
        (0, int(word), "") if word.isascii() and word.isdecimal() else (1, 0, word)
        for word in _NUMBER.split(name)
    ]
