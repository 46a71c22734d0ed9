"""Names that are safe as files, addresses and ids, and the nearest known name to a mistyped one."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

NAME_LENGTH_MAX = 128
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{k}" for port in ("com", "lpt") for k in range(1, 10)}
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
FILE_NAME_BYTES_MAX = 255


def name_fault(name: str) -> str | None:
    """Return why a text cannot name a task or node, or None where it can.

    A name starts with an ASCII letter or digit, goes on with letters, digits, ``_ . + -``, has at
    most 128 characters, and is no device name of another system (so that it can be a file).
    """
    if not name:
        return "is empty"
    if len(name) > NAME_LENGTH_MAX:
        return f"is {len(name)} characters long; at most {NAME_LENGTH_MAX} are allowed"
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") for char in name):
        return "holds a control or invisible character"
    if not _NAME.fullmatch(name):
        return "must start with a letter or digit and hold only letters, digits and _ . + -"
    if name.split(".", 1)[0].lower() in _RESERVED:
        return "is a device name on some systems"
    return None


def file_name_fault(name: str) -> str | None:
    """Return why a text cannot be the name of a part, or None where it can."""
    if name in ("", ".", ".."):
        return "is empty or a folder"
    if "/" in name or "\\" in name or "\0" in name:
        return "holds a path separator or NUL"
    if len(name.encode("utf-8", "surrogatepass")) > FILE_NAME_BYTES_MAX:
        return f"is longer than {FILE_NAME_BYTES_MAX} bytes"
    return None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most like a mistyped one, or None where none is alike."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def fold(name: str) -> str:
    """Return a form that is equal for names that people or file systems would confuse."""
    return unicodedata.normalize("NFKC", name).casefold()


def printable(text: str, length_max: int = 60) -> str:
    """Return a value for an error message: quoted, escaped, cut in the middle where long."""
    shown = text if len(text) <= length_max else f"{text[: length_max - 20]}…{text[-15:]}"
    return ascii(shown) if not shown.isprintable() else repr(shown)
