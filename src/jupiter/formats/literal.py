"""Reads JSON, and the lists and dictionaries of Python source, with the place of every value.

The standard reader of JSON keeps the last of two equal keys and forgets where things stood. This
one finds both, is linear in the length of the text, bounded in depth, and never runs code.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator
from typing import NoReturn

from jupiter.formats.text import Content, Faults, Path, Places, at_offset, decode
from jupiter.kit.names import printable

DEPTH_MAX = 64
TOKENS_MAX = 1_000_000
INTEGER_MAX = 2**53
"""Beyond it other languages read another number."""

_JSON = re.compile(
    r"""(?P<string>"[^"\\\n\t]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\n\t]*+)*+")"""
    r"""|(?P<number>[-0-9][-+.0-9a-zA-Z]*+)|(?P<word>[A-Za-z_]\w*+)|(?P<mark>[][{},:])"""
    r"""|(?P<blank>[ \t\n]++)"""
)
_ESCAPE = r"""\\(?:['"\\nrt]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})"""
_PYTHON = re.compile(
    rf"""(?P<string>"[^"\\\n]*+(?:{_ESCAPE}[^"\\\n]*+)*+"|'[^'\\\n]*+(?:{_ESCAPE}[^'\\\n]*+)*+')"""
    r"""|(?P<number>[-0-9][-+.0-9a-zA-Z]*+)|(?P<word>[A-Za-z_]\w*+)|(?P<mark>[][{}(),:=])"""
    r"""|(?P<blank>(?:[ \t\n]|\#[^\n]*+)++)"""
)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_CONSTANTS = {
    "json": {"true": True, "false": False, "null": None},
    "python": {"True": True, "False": False, "None": None},
}
_CLOSING = {"[": "]", "(": ")", "{": "}"}


class _UnreadableError(Exception):
    """The text cannot be read further; the fault is already reported."""


def read_json_object(content: Content, faults: Faults) -> tuple[dict[str, object], Places] | None:
    """Return a JSON object with the places of its values, or None after reporting why not."""
    text = decode(content, faults)
    reader = _Reader(text, faults, "json")
    try:
        value = reader.value(())
        reader.end()
    except _UnreadableError:
        return None
    if not isinstance(value, dict):
        faults.error(
            "the file holds no JSON object",
            1,
            got=type(value).__name__,
            expected='{"key": value, …}',
            remedy="put the values between { and }",
        )
        return None
    return value, Places(text, reader.offsets)


def read_assignments(content: Content, faults: Faults) -> tuple[dict[str, object], Places] | None:
    """Return what ``name = literal`` statements assign, or None after reporting why not."""
    text = decode(content, faults)
    reader = _Reader(text, faults, "python")
    try:
        values = reader.assignments()
    except _UnreadableError:
        return None
    return values, Places(text, reader.offsets)


class _Reader:
    """One pass over a text; `offsets` fills as it goes."""

    def __init__(self, text: str, faults: Faults, dialect: str) -> None:
        self._text = text
        self._faults = faults
        self._constants = _CONSTANTS[dialect]
        self._is_python = dialect == "python"
        self.offsets: dict[Path, int] = {}
        self._kind, self._lexeme, self._offset = "end", "", 0
        self._tokens = self._scan(_PYTHON if self._is_python else _JSON)
        self._left = TOKENS_MAX
        self._end = len(text.rstrip())

    def _scan(self, pattern: re.Pattern[str]) -> Iterator[tuple[str, str, int]]:
        position = 0
        while position < len(self._text):
            match = pattern.match(self._text, position)
            if match is None:
                self._offset, self._lexeme = position, self._text[position]
                self._stop("this cannot stand here")
            position = match.end()
            if match.lastgroup != "blank":
                yield str(match.lastgroup), match[0], match.start()

    def _next(self) -> None:
        self._left -= 1
        self._kind, self._lexeme, self._offset = next(self._tokens, ("end", "", self._end))
        if self._left < 0:
            self._stop("the text has too many values", expected=f"at most {TOKENS_MAX}")

    def _stop(self, problem: str, expected: str = "", remedy: str = "") -> NoReturn:
        self._report(problem, expected, remedy)
        raise _UnreadableError

    def _report(self, problem: str, expected: str = "", remedy: str = "") -> None:
        language = "Python lists and dictionaries" if self._is_python else "JSON"
        self._faults.error(
            problem,
            at_offset(self._text, self._offset),
            got=printable(self._lexeme) if self._lexeme else "the end of the text",
            expected=expected or f"valid {language}",
            remedy=remedy or "correct the text at this place",
        )

    def end(self) -> None:
        """Refuse anything that follows."""
        self._next()
        if self._kind != "end":
            self._stop("something follows the value", expected="the end of the text")

    def assignments(self) -> dict[str, object]:
        """Read ``name = value`` until the end."""
        values: dict[str, object] = {}
        self._next()
        while self._kind != "end":
            name = self._lexeme
            if self._kind != "word":
                self._stop("a statement does not start with a name", expected="name = value")
            self._place((name,), name in values)
            self._next()
            if self._lexeme != "=":
                self._stop("only assignments are read, nothing is run", expected="name = value")
            values[name] = self.value((name,))
            self._next()
        return values

    def value(self, path: Path) -> object:
        """Read the next value, whatever it is."""
        self._next()
        return self._current(path)

    def _current(self, path: Path) -> object:
        self.offsets.setdefault(path, self._offset)
        if len(path) > DEPTH_MAX:
            self._stop("the text is nested too deeply", expected=f"at most {DEPTH_MAX} levels")
        if self._kind == "string":
            return self._string()
        if self._kind == "number":
            return self._number()
        if self._kind == "word" and self._lexeme in self._constants:
            return self._constants[self._lexeme]
        if self._lexeme == "{":
            return self._object(path)
        if self._lexeme not in ("[", "("):
            self._stop("a value is missing or unknown")
        return self._list(path, _CLOSING[self._lexeme])

    def _string(self) -> str:
        value = str(ast.literal_eval(self._lexeme) if self._is_python else json.loads(self._lexeme))
        if any("\ud800" <= char <= "\udfff" for char in value):
            self._report("the text holds half a character", expected="complete UTF-16 pairs")
            return ""
        return value

    def _number(self) -> int | float:
        match = _NUMBER.fullmatch(self._lexeme) if len(self._lexeme) <= 64 else None
        value: int | float = math.inf
        if match:
            is_float = match[1] is not None or match[2] is not None
            value = float(self._lexeme) if is_float else int(self._lexeme)
        if not math.isfinite(value) or (isinstance(value, int) and abs(value) > INTEGER_MAX):
            self._report(
                "the number cannot be read", expected="a finite number, integers up to 2^53"
            )
            return 0
        return value

    def _list(self, path: Path, close: str) -> list[object]:
        values: list[object] = []
        self._next()
        while self._lexeme != close or self._kind != "mark":
            values.append(self._current((*path, len(values))))
            self._separate(close)
        return values

    def _object(self, path: Path) -> dict[str, object]:
        values: dict[str, object] = {}
        self._next()
        while self._lexeme != "}" or self._kind != "mark":
            if self._kind != "string":
                self._stop("a key is no quoted text", expected='"key": value')
            key = self._string()
            self._place((*path, key), key in values)
            self._next()
            if self._lexeme != ":" or self._kind != "mark":
                self._stop("the colon after a key is missing", expected='"key": value')
            values[key] = self.value((*path, key))
            self._separate("}")
        return values

    def _place(self, path: Path, is_twice: bool) -> None:
        if is_twice:
            first = at_offset(self._text, self.offsets[path])
            self._report(
                f"key {printable(str(path[-1]))} is written twice",
                expected=f"every key once; the first is on line {first.line}",
                remedy="delete one of them",
            )
        self.offsets.setdefault(path, self._offset)

    def _separate(self, close: str) -> None:
        """Go past a comma, or to the closing mark."""
        self._next()
        if self._kind != "mark" or self._lexeme not in (",", close):
            self._stop("a comma or the end of a list or object is missing")
        if self._lexeme == ",":
            comma = self._offset
            self._next()
            if self._lexeme == close and self._kind == "mark" and not self._is_python:
                self._offset, self._lexeme = comma, ","
                self._stop("a comma follows the last value", remedy="delete the comma")
