"""Bytes to lines to words, each with its place; what every text parser starts from."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from jupiter.errors import Fault, InputError
from jupiter.kit.names import fold, name_fault, nearest, printable

T = TypeVar("T")

FILE_BYTES_MAX = 8 << 20
LINE_CHARS_MAX = 1 << 16
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T]):
    """A value and what is worth telling about its text.

    Attributes:
        notes: Warnings and notes; no errors, as those are raised.
    """

    value: T
    notes: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Word:
    """A run of characters without blanks; line and column count from 1."""

    text: str
    line: int
    column: int


@dataclass(slots=True)
class Faults:
    """Collects what is wrong with one file, so that all of it is told at once.

    Attributes:
        file: Path as the user wrote it.
    """

    file: str
    found: list[Fault] = field(default_factory=list)

    def add(
        self,
        problem: str,
        at: Word | int = 0,
        *,
        got: str | None = None,
        expected: str = "",
        remedy: str = "",
    ) -> None:
        """Note an error at a word, a line, or the whole file; a word is shown as what was got."""
        line, column = (at.line, at.column) if isinstance(at, Word) else (at, 0)
        if got is None:
            got = printable(at.text) if isinstance(at, Word) else ""
        self.found.append(Fault(problem, self.file, line, column, got, expected, remedy))

    def warn(self, problem: str, at: Word | int = 0, *, got: str = "", remedy: str = "") -> None:
        """Note something that is accepted and probably not meant."""
        line, column = (at.line, at.column) if isinstance(at, Word) else (at, 0)
        self.found.append(Fault(problem, self.file, line, column, got, "", remedy, "warning"))

    def note(self, problem: str, line: int = 0) -> None:
        """Note something that is accepted."""
        self.found.append(Fault(problem, self.file, line, level="note"))

    @property
    def has_errors(self) -> bool:
        """Whether the file must be refused."""
        return any(fault.level == "error" for fault in self.found)

    def done(self, value: T) -> Parsed[T]:
        """Return the value with the notes.

        Raises:
            InputError: There were errors; it holds all of them, in the order of the file.
        """
        self.check()
        return Parsed(value, tuple(self.found))

    def check(self) -> None:
        """Raise the errors found so far, if any.

        Raises:
            InputError: As `done`.
        """
        if self.has_errors:
            errors = [fault for fault in self.found if fault.level == "error"]
            raise InputError(sorted(errors, key=lambda fault: (fault.line, fault.column)))


def decode(content: bytes | str, faults: Faults) -> str:
    """Return the text of a file with plain line ends.

    A byte-order mark and line ends of other systems are accepted and noted. Bytes that are no
    UTF-8, and characters that cannot be seen, are faults; parsing goes on to find more.
    """
    text = _utf8(content, faults) if isinstance(content, bytes) else content
    if text.startswith(_BOM):
        text = text[1:]
        faults.note("starts with a byte-order mark, which is ignored")
    if "\r" in text:
        faults.note("has line ends of another system, which are read as line ends")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > LINE_CHARS_MAX:
            faults.add(
                "the line is too long",
                number,
                got=f"{len(line)} characters",
                expected=f"at most {LINE_CHARS_MAX}",
                remedy="break it up, or check that this is the right file",
            )
        _refuse_invisible(line, number, faults)
    return text


def _utf8(content: bytes, faults: Faults) -> str:
    if len(content) > FILE_BYTES_MAX:
        faults.add(
            "the file is too large",
            got=f"{len(content)} bytes",
            expected=f"at most {FILE_BYTES_MAX >> 20} MiB",
            remedy="check that this is the right file",
        )
        faults.check()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        faults.add(
            "is not UTF-8 text",
            Word("", line, column),
            got=f"byte 0x{content[error.start]:02x}",
            expected="UTF-8",
            remedy="save the file as UTF-8",
        )
        return content.decode(errors="replace")


def _refuse_invisible(line: str, number: int, faults: Faults) -> None:
    if line.isascii() and line.replace("\t", " ").isprintable():
        return
    for column, char in enumerate(line, start=1):
        if char != "\t" and unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp"):
            faults.add(
                "holds a character that cannot be seen",
                Word("", number, column),
                got=unicodedata.name(char, f"U+{ord(char):04X}"),
                expected="visible characters, blanks and tabs",
                remedy="remove it",
            )
            return


def words_of(line: str, number: int) -> list[Word]:
    """Return the words of a line; any run of blanks and tabs parts them."""
    words: list[Word] = []
    at = 0
    for text in line.replace("\t", " ").split(" "):
        if text:
            words.append(Word(text, number, at + 1))
        at += len(text) + 1
    return words


def lines_of(text: str, faults: Faults) -> Iterator[list[Word]]:
    """Yield the words of every line that has any; note blanks that the seeds would trip over."""
    is_noted = False
    for number, line in enumerate(text.split("\n"), start=1):
        words = words_of(line, number)
        if not words:
            continue
        if not is_noted and ("\t" in line or "  " in line.strip()):
            is_noted = True
            faults.note("has tabs or double blanks, which are read as one blank", number)
        yield words


def check_name(word: Word, what: str, faults: Faults) -> bool:
    """Return whether a word can be a name; note why not."""
    fault = name_fault(word.text)
    if fault is not None:
        faults.add(f"the name of the {what} {fault}", word, remedy="rename it everywhere")
    return fault is None


def did_you_mean(name: str, known: list[str]) -> str:
    """Return a remedy for an unknown name."""
    near = nearest(name, known[:1000])
    if near:
        return f"did you mean {near}?"
    shown = ", ".join(known[:8])
    return f"one of {shown}{', …' if len(known) > 8 else ''}" if known else ""


class Names:
    """Names that must differ, also when case and look-alike characters are ignored."""

    def __init__(self, what: str, faults: Faults) -> None:
        self._what = what
        self._faults = faults
        self._seen: dict[str, Word] = {}

    def add(self, word: Word) -> bool:
        """Return whether a name is new; note it where it is not."""
        earlier = self._seen.setdefault(fold(word.text), word)
        if earlier is word:
            return True
        problem = f"the {self._what} is there twice"
        if earlier.text != word.text:
            problem = f"two {self._what}s differ only by case or look-alike characters"
        self._faults.add(
            problem,
            word,
            expected=f"one of them; line {earlier.line} has {printable(earlier.text)}",
            remedy="remove or rename one",
        )
        return False
