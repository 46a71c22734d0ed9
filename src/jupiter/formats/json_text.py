"""JSON that people write by hand: duplicate keys and syntax faults with their place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from jupiter.formats.text import Faults, Word
from jupiter.kit.names import printable

DEPTH_MAX = 64
_NUMBER_CHARS_MAX = 400


def loads(text: str, faults: Faults) -> object:
    """Return the value of a JSON text.

    Raises:
        InputError: It is no JSON, nests too deeply, or an object has a key twice.
    """
    if _depth(text) > DEPTH_MAX:
        faults.add("nests too deeply", expected=f"at most {DEPTH_MAX} levels", remedy="flatten it")
        faults.check()

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in pairs:
            if key in found:
                lines = line_of_key(text, key)
                faults.add(
                    f"the key {printable(key)} is there twice",
                    lines[1] if len(lines) > 1 else 0,
                    remedy="remove one of them",
                )
            found[key] = value
        return found

    try:
        value: object = json.loads(
            text, object_pairs_hook=unique, parse_constant=_refuse, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        faults.add(
            f"is no JSON: {error.msg}",
            Word("", error.lineno, error.colno),
            got="",
            remedy="mend the text here",
        )
    except ValueError as error:
        faults.add(str(error), remedy="write a finite number of sensible size")
    except RecursionError:
        faults.add("nests too deeply", remedy="flatten it")
    else:
        faults.check()
        return value
    faults.check()
    return None


def line_of_key(text: str, key: str) -> list[int]:
    """Return the lines in which a key is written, in order."""
    quoted = json.dumps(key)
    return [
        number
        for number, line in enumerate(text.split("\n"), start=1)
        if any(line[at:].lstrip().startswith(":") for at in _ends_of(quoted, line))
    ]


def _ends_of(part: str, line: str) -> Iterator[int]:
    return (match.end() for match in re.finditer(re.escape(part), line))


def _depth(text: str) -> int:
    """Return how deep the brackets nest, counting those in strings too: enough for a limit."""
    depth = most = 0
    for char in text:
        if char in "[{":
            depth += 1
            most = max(most, depth)
        elif char in "]}":
            depth -= 1
    return most


def _refuse(word: str) -> object:
    raise ValueError(f"holds {word}, which is no number")


def _integer(digits: str) -> int:
    if len(digits) > _NUMBER_CHARS_MAX:
        raise ValueError(f"holds a number of {len(digits)} digits")
    return int(digits)
