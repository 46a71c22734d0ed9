"""Turns the content of a file into words that know their place, and collects what is wrong.

Everything in `jupiter.formats` is built alike: ``read(content, faults)`` takes in as much as it
can and reports to a `Faults`; ``parse(content, file)`` raises the errors all at once or returns a
`Parsed`; ``dumps(value)`` is its inverse. Nothing here opens a file.
"""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Literal, Self, TypeVar

from jupiter.errors import FAULTS_SHOWN_MAX, Fault, InputError
from jupiter.kit.names import NAME_LENGTH_MAX, fold, name_fault, nearest, printable

FILE_BYTES_MAX = 8 << 20
"""Ten thousand task lines of eight hundred characters; more is data, not a description."""
LINE_CHARS_MAX = 64 << 10
FAULTS_KEPT_MAX = 1000
"""A binary file must not fill the memory with complaints."""
NAMES_COMPARED_MAX = 256
"""Known names that a mistyped one is compared with; comparing is slow."""
NAME_RULE = "a letter or digit first, then letters, digits and _ . + -"

Content = str | bytes
"""A file as it was read; bytes where its encoding is to be checked too."""
Path = tuple[str | int, ...]
"""Keys and indices from the top of a JSON or TOML text down to a value."""
T = TypeVar("T")

FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_WORD = re.compile(r"[^ \t]+")
_WIDE = re.compile(r"[^ \t](?:[ \t]{2,}+|\t)[^ \t]")
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?")


class Word(str):
    """A text that knows where it stands; it equals the same text anywhere.

    Attributes:
        line: 1-based; 0 where it comes from no file.
        column: 1-based; 0 as above.
    """

    __slots__ = ("column", "line")
    line: int
    column: int

    def __new__(cls, text: str, line: int = 0, column: int = 0) -> Self:
        """Place a text."""
        word = super().__new__(cls, text)
        word.line = line
        word.column = column
        return word


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank.

    Attributes:
        number: 1-based.
        text: Without its end.
        words: What blanks and tabs separate; at least one.
    """

    number: int
    text: str
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """What a file says, and what its author should know though it does no harm.

    Attributes:
        value: The content.
        notes: Warnings and notes, in the order of the file.
    """

    value: T
    notes: tuple[Fault, ...] = ()


class Faults:
    """Collects all that is wrong with one or several files.

    Args:
        file: Path as the user wrote it; empty where there is none.
        into: Report into this collection; used for the several files of one folder.
    """

    def __init__(self, file: str = "", into: Faults | None = None) -> None:
        self.file = file
        self._all: list[Fault] = [] if into is None else into._all

    def of_file(self, file: str) -> Faults:
        """Return a view of this collection that reports about another file."""
        return Faults(file, self)

    @property
    def errors(self) -> tuple[Fault, ...]:
        """The faults that refuse the input, by file and line."""
        return tuple(fault for fault in self._sorted() if fault.level == "error")

    @property
    def has_errors(self) -> bool:
        """Whether the input must be refused."""
        return any(fault.level == "error" for fault in self._all)

    @property
    def notes(self) -> tuple[Fault, ...]:
        """The faults that do not, by file and line."""
        return tuple(fault for fault in self._sorted() if fault.level != "error")

    def _sorted(self) -> list[Fault]:
        files = {file: k for k, file in enumerate(dict.fromkeys(f.file for f in self._all))}
        return sorted(self._all, key=lambda fault: (files[fault.file], fault.line))

    def add(self, fault: Fault) -> None:
        """Take in a fault as it is."""
        if len(self._all) < FAULTS_KEPT_MAX:
            self._all.append(fault)

    def error(
        self,
        problem: str,
        at: Word | int = 0,
        *,
        got: str | None = None,
        expected: str = "",
        remedy: str = "",
        level: Literal["error", "warning", "note"] = "error",
    ) -> None:
        """Report something wrong.

        Args:
            problem: One clause, no full stop.
            at: The word or the number of the line that it is about; 0 for the whole file.
            got: The offending value; by default the word itself.
            expected: The rule.
            remedy: What to do.
            level: See `Fault`.
        """
        line, column = (at.line, at.column) if isinstance(at, Word) else (at, 0)
        if got is None:
            got = printable(at) if isinstance(at, Word) else ""
        self.add(Fault(problem, self.file, line, column, got, expected, remedy, level))

    def warn(self, problem: str, at: Word | int = 0, *, got: str = "", remedy: str = "") -> None:
        """Tell of something that may be a mistake."""
        self.error(problem, at, got=got, remedy=remedy, level="warning")

    def note(self, problem: str, at: Word | int = 0) -> None:
        """Tell of something that the author may not know."""
        self.error(problem, at, got="", level="note")

    def suggestion(self, name: str, known: Iterable[str], otherwise: str) -> str:
        """Return a remedy that names the known name most like a mistyped one.

        Only the faults that will be shown get one: comparing names is slow.
        """
        if len(self._all) >= FAULTS_SHOWN_MAX or len(name) > NAME_LENGTH_MAX:
            return otherwise
        names = islice(known, NAMES_COMPARED_MAX)
        match = nearest(name, [each for each in names if len(each) <= NAME_LENGTH_MAX])
        return f"{match!r} (did you mean that?), or {otherwise}" if match else otherwise

    def raise_errors(self) -> None:
        """Raise all errors at once.

        Raises:
            InputError: There is at least one.
        """
        if self.has_errors:
            raise InputError(self.errors)

    def parsed(self, value: T) -> Parsed[T]:
        """Return a value with the notes.

        Raises:
            InputError: There are errors.
        """
        self.raise_errors()
        return Parsed(value, self.notes)


class Places:
    """Where the values of a nested text stand.

    Args:
        text: The whole text.
        offsets: Of each value or key, by its path.
    """

    def __init__(self, text: str, offsets: Mapping[Path, int]) -> None:
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._offsets = offsets

    def at(self, *path: str | int) -> Word:
        """Return an empty word at a value, or at the nearest value around it."""
        while path and path not in self._offsets:
            path = path[:-1]
        if not path:
            return Word("")
        offset = self._offsets[path]
        line = bisect_right(self._line_starts, offset)
        return Word("", line, offset - self._line_starts[line - 1] + 1)

    def word(self, text: str, *path: str | int) -> Word:
        """Return a text placed at a value."""
        place = self.at(*path)
        return Word(text, place.line, place.column)


def at_offset(text: str, offset: int) -> Word:
    """Return an empty word at an offset of a text."""
    line_start = text.rfind("\n", 0, offset) + 1
    return Word("", text.count("\n", 0, offset) + 1, offset - line_start + 1)


def parse_with(read: Callable[[Content, Faults], T], content: Content, file: str) -> Parsed[T]:
    """Run a reader and raise its errors.

    Raises:
        InputError: The content has faults; all of them.
    """
    faults = Faults(file)
    return faults.parsed(read(content, faults))


def decode(content: Content, faults: Faults) -> str:
    """Return a text with plain line ends, and without the characters that it reports."""
    if len(content) > FILE_BYTES_MAX:
        faults.error(
            "the file is too large",
            got=f"{len(content)} bytes",
            expected=f"at most {FILE_BYTES_MAX} bytes",
            remedy="check that it is the right file",
        )
        return ""
    text = content if isinstance(content, str) else _decode_bytes(content, faults)
    if text.startswith("\ufeff"):
        faults.note("the file starts with a byte order mark, which is ignored")
        text = text[1:]
    if "\r\n" in text:
        faults.note("the lines end with CR LF, which is accepted")
        text = text.replace("\r\n", "\n")
    return _short_lines(_clean(text, faults), faults)


def _decode_bytes(content: bytes, faults: Faults) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        pass
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            column = len(line[: error.start].decode()) + 1
            faults.error(
                "the line is not UTF-8",
                Word("", number, column),
                got=f"byte 0x{line[error.start]:02x}",
                expected="UTF-8 text",
                remedy="save the file as UTF-8",
            )
    return content.decode(errors="ignore")


def _clean(text: str, faults: Faults) -> str:
    if not FORBIDDEN.search(text):
        return text
    for number, line in enumerate(text.split("\n"), 1):
        match = FORBIDDEN.search(line)
        if match:
            name = unicodedata.name(match[0], "a control character")
            faults.error(
                "the line holds a character that cannot be seen",
                Word("", number, match.start() + 1),
                got=f"U+{ord(match[0]):04X} {name}",
                expected="no control characters and none that turn the direction of text",
                remedy="delete the character",
            )
    return FORBIDDEN.sub("", text)


def _short_lines(text: str, faults: Faults) -> str:
    if len(text) <= LINE_CHARS_MAX:
        return text
    lines = text.split("\n")
    for k, line in enumerate(lines):
        if len(line) > LINE_CHARS_MAX:
            faults.error(
                "the line is too long",
                k + 1,
                got=f"{len(line)} characters",
                expected=f"at most {LINE_CHARS_MAX}",
                remedy="check that it is the right file",
            )
            lines[k] = ""
    return "\n".join(lines)


def word_lines(content: Content, faults: Faults) -> list[Line]:
    """Return the lines that are not blank, cut into words; note unusual layout once."""
    text = decode(content, faults)
    lines = []
    wide = []
    for number, line in enumerate(text.split("\n"), 1):
        words = tuple(Word(m[0], number, m.start() + 1) for m in _WORD.finditer(line))
        if words:
            lines.append(Line(number, line, words))
            if _WIDE.search(line):
                wide.append(number)
    if wide:
        faults.note(
            "words are separated by tabs or several blanks, which is accepted "
            f"(lines like this: {len(wide)})",
            wide[0],
        )
    if text and not text.endswith("\n"):
        faults.note("the last line has no end, which is accepted", text.count("\n") + 1)
    return lines


def read_integer(word: Word, faults: Faults, what: str, *, low: int, high: int) -> int | None:
    """Return a decimal integer, or None after reporting why it is none."""
    value = int(word) if _INTEGER.fullmatch(word) else None
    if value is not None and low <= value <= high:
        return value
    faults.error(
        f"{what} is {'no whole number' if value is None else 'out of range'}",
        word,
        expected=f"a whole number from {low} to {high}",
        remedy=f"write a number such as {max(low, min(high, 1))}",
    )
    return None


def read_number(word: Word, faults: Faults, what: str, *, low: float = -math.inf) -> float | None:
    """Return a finite decimal number, or None after reporting why it is none."""
    value = float(word) if len(word) <= 64 and _NUMBER.fullmatch(word) else math.nan
    if math.isfinite(value) and value >= low:
        return value
    limit = "" if low == -math.inf else f" of {low:g} or more"
    faults.error(
        f"{what} is no such number" if limit and math.isfinite(value) else f"{what} is no number",
        word,
        expected=f"a finite decimal number{limit}",
        remedy="correct or measure it again",
    )
    return None


def check_name(word: Word, what: str, faults: Faults) -> bool:
    """Report a text that cannot be the name of a task or node; return whether it can."""
    problem = name_fault(word)
    if problem is None:
        return True
    faults.error(
        f"the name of the {what} {problem}",
        word,
        expected=f"{NAME_RULE}, at most {NAME_LENGTH_MAX} characters",
        remedy="rename it everywhere",
    )
    return False


def check_distinct(words: Sequence[Word], what: str, faults: Faults) -> None:
    """Report names that are equal, or equal up to case or Unicode form."""
    seen: dict[str, Word] = {}
    for word in words:
        first = seen.setdefault(fold(word[: NAME_LENGTH_MAX + 1]), word)
        if first is word:
            continue
        where = f"line {first.line}" if first.line else "before"
        is_same = first == word
        faults.error(
            f"{what} {printable(word)} is written twice"
            if is_same
            else f"{what}s {printable(first)} and {printable(word)} differ only in case or form",
            word,
            got=f"{printable(word)}, first on {where}" if first.line else None,
            expected=f"every {what} once, also when case is ignored",
            remedy=f"rename one of them{', or delete it' if is_same else ''}",
        )
