"""TOML with the place of every value, checked against closed models; and TOML written back."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from jupiter.formats.text import FORBIDDEN, Content, Faults, Path, Places, Word, at_offset, decode
from jupiter.kit.names import printable
from jupiter.kit.units import read_bytes, read_bytes_per_s, read_seconds

M = TypeVar("M", bound=BaseModel)

_SYNTAX = re.compile(r"(.*?)(?: \(at (?:line (\d+), column (\d+)|end of document)\))?", re.DOTALL)
_DEEP_KEY = re.compile(
    r"""(?<![\w"'-])(?:(?:["'][\w-]*+["']|[\w-]++)[ \t]*+\.[ \t]*+){32}""", re.ASCII
)
"""The standard reader needs quadratic time for long dotted keys, and nobody writes them."""
_BLANK = re.compile(r"(?:[ \t\n]++|#[^\n]*+)*+")
_STRING = re.compile(
    r'''"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}|\'\'\'(?:[^']++|'(?!''))*+'{3,5}'''
    r"""|"(?:[^"\\\n]++|\\.)*+"|'[^'\n]*+\'""",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\n]++")
_EXPECTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list: [ … ]",
    "dict_type": "a table",
    "finite_number": "a finite number",
}


class Closed(BaseModel):
    """A table that takes no unknown keys and converts no types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _quantity(read: Callable[[str], float], unit: str) -> BeforeValidator:
    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise PydanticCustomError("quantity", "is no quantity", {"remedy": f'"5 {unit}"'})
        if not isinstance(value, str):
            raise PydanticCustomError(
                "quantity", "has no unit", {"remedy": f'write "{value} {unit}", or another unit'}
            )
        try:
            return read(value)
        except ValueError as error:
            problem, _, remedy = str(error).partition("; ")
            raise PydanticCustomError(
                "quantity", "{problem}", {"problem": problem, "remedy": remedy}
            ) from None

    return BeforeValidator(check)


def _read_rate(text: str) -> float:
    return math.inf if text == "unlimited" else read_bytes_per_s(text)


Seconds = Annotated[float, _quantity(read_seconds, "s")]
Bytes = Annotated[int, _quantity(read_bytes, "MiB")]
Rate = Annotated[float, _quantity(_read_rate, "Mbit/s")]
"""Bytes per second; the word ``unlimited`` is infinite."""


def read_toml(content: Content, faults: Faults) -> tuple[dict[str, object], Places] | None:
    """Return the tables of a TOML text with their places, or None after reporting why not."""
    text = decode(content, faults)
    deep = _DEEP_KEY.search(text)
    if deep:
        faults.error("a key has too many parts", at_offset(text, deep.start()), got="")
        return None
    try:
        values = tomllib.loads(text)
    except RecursionError:
        faults.error("the values are nested too deeply", remedy="write them flat")
        return None
    except ValueError as error:
        _report_syntax(str(error), text, faults)
        return None
    return values, Places(text, _Locator(text).offsets)


def _report_syntax(message: str, text: str, faults: Faults) -> None:
    match = _SYNTAX.fullmatch(message)
    problem, line, column = match.groups() if match else (message, None, None)
    place = Word("", int(line), int(column)) if line and column else text.count("\n") + 1
    faults.error(
        f"the text is no TOML: {problem[:1].lower()}{problem[1:]}",
        place,
        got="",
        expected="key = value, [table] or [[list of tables]]",
        remedy="correct the text at this place",
    )


def validate(
    model: type[M], values: object, path: Path, places: Places, faults: Faults
) -> M | None:
    """Return a table as a model, or None after reporting all that is wrong with it.

    Args:
        model: Closed; without models inside.
        values: The table.
        path: Of the table in the file.
        places: Of the file.
        faults: Taken in.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            _report(detail, model, path, places, faults)
    return None


def _report(
    detail: ErrorDetails, model: type[BaseModel], path: Path, places: Places, faults: Faults
) -> None:
    location = detail["loc"]
    key = ".".join(map(str, location)) or "the table"
    place = places.at(*path, *location)
    context = detail.get("ctx", {})
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = [field.alias or name for name, field in model.model_fields.items()]
        faults.error(
            f"key {printable(key)} is unknown",
            place,
            got="",
            expected=f"one of {', '.join(known)}",
            remedy=faults.suggestion(key, known, "delete it"),
        )
        return
    if kind == "missing":
        faults.error(f"key {key} is missing", place, got="", remedy=f"add {key} = …")
        return
    problem = detail["msg"] if kind == "quantity" else "has a value that it cannot have"
    faults.error(
        f"key {printable(key)} {problem}",
        place,
        got=shown(detail["input"]),
        expected=_EXPECTED.get(kind) or str(context.get("expected", "")) or _rule(detail),
        remedy=str(context.get("remedy", "")) or "correct the value",
    )


def _rule(detail: ErrorDetails) -> str:
    if detail["type"] == "quantity":
        return 'a number and a unit in quotes, such as "5 ms"'
    return detail["msg"][:1].lower() + detail["msg"][1:]


def shown(value: object) -> str:
    """Return a value for an error message."""
    return printable(value) if isinstance(value, str) else str(value)[:40]


class _Locator:
    """Finds where the keys and values of a valid TOML text stand."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._tables: dict[Path, int] = {}
        self.offsets: dict[Path, int] = {}
        table: Path = ()
        while self._skip():
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _skip(self) -> bool:
        """Go past blanks, line ends and comments; return whether anything is left."""
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at < len(self._text)

    def _header(self) -> Path:
        start = self._at
        is_list = self._text.startswith("[[", self._at)
        self._at += 2 if is_list else 1
        path: Path = ()
        keys = self._key()
        for key, _ in keys:
            path = (*path, key)
            self.offsets.setdefault(path, start)
            if path in self._tables and (not is_list or len(path) < len(keys)):
                path = (*path, self._tables[path])
        if is_list:
            self._tables[path] = self._tables.get(path, -1) + 1
            path = (*path, self._tables[path])
        self.offsets[path] = start
        self._skip()
        self._at += 2 if is_list else 1
        return path

    def _key(self) -> list[tuple[str, int]]:
        """Read a dotted key; return its parts with their places."""
        parts: list[tuple[str, int]] = []
        while True:
            self._skip()
            start = self._at
            match = _STRING.match(self._text, start) or _BARE_KEY.match(self._text, start)
            if match is None:
                return parts
            self._at = match.end()
            name = match[0]
            if name[0] in "\"'":
                name = tomllib.loads(f"key = {name}")["key"]
            parts.append((name, start))
            self._skip()
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _pair(self, table: Path) -> None:
        path = table
        for key, start in self._key():
            path = (*path, key)
            self.offsets.setdefault(path, start)
        self._skip()
        self._at += 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip()
        start = self._text[self._at]
        match = _STRING.match(self._text, self._at)
        if match:
            self._at = match.end()
        elif start == "[":
            self._at += 1
            self._list(path)
        elif start == "{":
            self._at += 1
            self._table(path)
        else:
            scalar = _SCALAR.match(self._text, self._at)
            self._at = scalar.end() if scalar else self._at + 1

    def _list(self, path: Path) -> None:
        index = 0
        while self._skip() and self._text[self._at] != "]":
            self.offsets[(*path, index)] = self._at
            self._value((*path, index))
            index += 1
            self._comma()
        self._at += 1

    def _table(self, path: Path) -> None:
        while self._skip() and self._text[self._at] != "}":
            self._pair(path)
            self._comma()
        self._at += 1

    def _comma(self) -> None:
        if self._skip() and self._text[self._at] == ",":
            self._at += 1


def toml_value(value: object) -> str:
    """Return a value in TOML.

    Raises:
        ValueError: It holds null, which TOML has not.
    """
    if isinstance(value, str):
        quoted = json.dumps(value, ensure_ascii=False)
        return FORBIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
    if isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, Mapping):
        pairs = (f"{toml_key(str(key))} = {toml_value(each)}" for key, each in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    raise ValueError("TOML has no null")


def toml_key(key: str) -> str:
    """Return a key in TOML, quoted where it must be."""
    return key if _BARE_KEY.fullmatch(key) else toml_value(key)


def toml_pairs(pairs: Mapping[str, object]) -> list[str]:
    """Return a line for each pair whose value is not None."""
    return [
        f"{toml_key(key)} = {toml_value(value)}"
        for key, value in pairs.items()
        if value is not None
    ]
