"""Bad inputs, how they are given, and what must be said about them.

The numbers are those of the list "Bad inputs that must give a clear error", 1 to 35. Number 36
(unknown SSH host key) belongs to the engine that opens SSH connections.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jupiter.errors import InputError

Content = str | bytes
Parse = Callable[[Content, str], object]
FAULT = re.compile(r"\S+?(:\d+(:\d+)?)?: .+\.( Try: .+)?|… and \d+ more\.")


@dataclass(frozen=True)
class Case:
    """One bad input.

    Attributes:
        id: Number in the list, and what is wrong.
        files: Of the application folder, or ``nodes.txt``, or ``file`` for `parse`.
        says: Parts of one fault; the first is its beginning, with its place.
        parse: For formats that no command reads.
        modes: Of files, where not 0o600.
    """

    id: str
    files: Mapping[str, Content]
    says: tuple[str, ...]
    parse: Parse | None = None
    modes: Mapping[str, int] = field(default_factory=dict)


def app(number: str, text: Content, *says: str, beside: Mapping[str, str] | None = None) -> Case:
    return Case(number, {"configuration.txt": text, **(beside or {})}, says)


def nodes(number: str, text: str, *says: str, mode: int = 0o600) -> Case:
    return Case(number, {"nodes.txt": text}, says, modes={"nodes.txt": mode})


def parsed(number: str, parse: Parse, text: str, *says: str) -> Case:
    return Case(number, {"file": text}, says, parse)


ONE = "1\na 1 true home\n"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    text: str


Jupiter = Callable[..., Ended]


def write(folder: Path, case: Case) -> None:
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(case.modes.get(name, 0o600))


def give(case: Case, folder: Path, jupiter: Jupiter) -> Ended:
    """Give a bad input to the parser, or to the command that reads it."""
    if case.parse is not None:
        with pytest.raises(InputError) as refused:
            case.parse(case.files["file"], "file")
        return Ended(refused.value.exit_code, str(refused.value))
    write(folder, case)
    if "nodes.txt" in case.files:
        return jupiter("nodes", "check", "nodes.txt")
    return jupiter("app", "check", ".")


def check(case: Case, folder: Path, jupiter: Jupiter) -> None:
    """Give a bad input; see that a fault says where it is, what it is, and what to do."""
    ended = give(case, folder, jupiter)
    assert ended.code == 2
    assert "Traceback" not in ended.text
    assert "hunter2" not in ended.text
    lines = ended.text.splitlines()
    assert [line for line in lines if not FAULT.fullmatch(line)] == []
    told = [line for line in lines if line.startswith(case.says[0])]
    assert told, ended.text
    for words in case.says[1:]:
        assert words in told[0]
