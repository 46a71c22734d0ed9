"""JSON that holds data rather than a description: read fast, faults still placed.

A problem may have hundreds of thousands of values, so the text is read by the standard library
first. Only where something is wrong the slow reader is asked on which lines.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import cached_property

from jupiter.formats.literal import read_json_object
from jupiter.formats.text import Content, Faults, Path, Places, Word
from jupiter.kit.names import printable

DOCUMENT_BYTES_MAX = 1 << 30
"""A million tasks with their edges; more would not fit into memory as objects."""
PLACED_BYTES_MAX = 4 << 20
"""Texts up to this size get line numbers, larger ones only paths."""


class Document:
    """The object of a JSON text, and readers that report what is wrong with its values.

    Args:
        values: The object.
        content: The text that it is from.
        faults: Told all that is wrong.
    """

    def __init__(self, values: Mapping[str, object], content: Content, faults: Faults) -> None:
        self.values = values
        self.faults = faults
        self._content = content

    def error(self, problem: str, path: Path, value: object, expected: str, remedy: str) -> None:
        """Report a value."""
        self.faults.error(
            f"{path_text(path)} {problem}",
            self._places.at(*path) if self._places else 0,
            got=_shown(value),
            expected=expected,
            remedy=remedy,
        )

    @cached_property
    def _places(self) -> Places | None:
        if len(self._content) > PLACED_BYTES_MAX:
            return None
        found = read_json_object(self._content, Faults())
        return found[1] if found else None

    def table(self, value: object, path: Path) -> Mapping[str, object]:
        """Return an object; empty after reporting that it is none."""
        if isinstance(value, dict):
            return value
        self.error("is no object", path, value, "{ … }", "write the keys of this part in braces")
        return {}

    def tables(self, value: object, path: Path) -> Iterator[tuple[Path, Mapping[str, object]]]:
        """Yield the objects of a list, each with its path."""
        if not isinstance(value, list):
            self.error("is no list", path, value, "[ … ]", "write a list of objects")
            return
        for k, each in enumerate(value):
            if isinstance(each, dict):
                yield (*path, k), each
            else:
                self.error("is no object", (*path, k), each, "{ … }", "write an object")

    def name(self, values: Mapping[str, object], key: str, path: Path) -> str:
        """Return a text that is not empty; numbers are taken as their text."""
        value = values.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and value:
            return value
        self._missing_or("is no name", values, key, path, "a text that is not empty")
        return ""

    def number(
        self,
        values: Mapping[str, object],
        key: str,
        path: Path,
        *,
        low: float = 0.0,
        default: float | None = None,
        may_be_infinite: bool = False,
    ) -> float:
        """Return a number that is not below a limit; the limit after reporting another value."""
        value = values.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool):
            number = float(value) if abs(value) < 1e300 or isinstance(value, float) else math.inf
            if number >= low and (may_be_infinite or number < math.inf):
                return number
        self._missing_or("is no such number", values, key, path, f"a number, at least {low:g}")
        return low

    def _missing_or(
        self, problem: str, values: Mapping[str, object], key: str, path: Path, expected: str
    ) -> None:
        if key not in values:
            self.error(f"has no {key}", path, "", f"{key}: {expected}", "add it")
        else:
            self.error(problem, (*path, key), values[key], expected, "correct it")


def read_document(content: Content, faults: Faults) -> Document | None:
    """Return the object of a JSON text, or None after reporting why there is none.

    ``Infinity`` is accepted, as Python writes it; ``NaN`` is not.
    """
    if len(content) > DOCUMENT_BYTES_MAX:
        faults.error("the file is too large", expected=f"at most {DOCUMENT_BYTES_MAX} bytes")
        return None
    try:
        text = content if isinstance(content, str) else content.decode()
        values = json.loads(text.removeprefix("\ufeff"))
    except RecursionError:
        faults.error("the text is nested too deeply", remedy="check that it is the right file")
    except UnicodeDecodeError as error:
        faults.error(
            "the text is not UTF-8", got=f"byte {error.start + 1}", remedy="save it as UTF-8"
        )
    except json.JSONDecodeError as error:
        faults.error(
            f"the text is no JSON: {error.msg[:1].lower()}{error.msg[1:]}",
            Word("", error.lineno, error.colno),
            expected="one object in braces",
            remedy="correct the text at this place",
        )
    except ValueError as error:
        faults.error(f"the text is no JSON: {error}", remedy="correct it")
    else:
        if isinstance(values, dict):
            return Document(values, content, faults)
        faults.error("the text is no JSON object", expected="{ … }", remedy="wrap it in braces")
    return None


def path_text(path: Path) -> str:
    """Return a path as people write it, such as ``task_graph.tasks[3]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the document"


def _shown(value: object) -> str:
    if value == "" or value is None:
        return "" if value == "" else "null"
    return printable(value) if isinstance(value, str) else printable(repr(value))
