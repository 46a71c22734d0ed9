"""``link_list.txt``: the directed links that the network profiler measures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from jupiter.formats.text import Content, Faults, Parsed, Word, check_name, parse_with, word_lines
from jupiter.kit.names import printable

HEADER = "Source,Destination"
Pair = tuple[Word, Word]


def parse(content: Content, file: str = "") -> Parsed[tuple[Pair, ...]]:
    """Return (source, target) of every link; blanks may stand for the comma, as the docs show.

    Raises:
        InputError: A line has not two names, a link is written twice or joins a node to itself.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> tuple[Pair, ...]:
    """Return what can be understood; the rest is reported."""
    lines = word_lines(content, faults)
    if not lines or [word.lower() for word in _names(lines[0].words)] != ["source", "destination"]:
        faults.error(
            "the first line is not the header",
            lines[0].number if lines else 0,
            got=printable(lines[0].text.strip()) if lines else "nothing",
            expected=HEADER,
            remedy="add it above the links",
        )
    pairs: dict[Pair, None] = {}
    for line in lines[1:]:
        names = _names(line.words)
        if len(names) != 2:
            faults.error(
                "a link has not two ends",
                line.number,
                got=printable(line.text.strip()),
                expected="source,target",
                remedy="write one link a line",
            )
            continue
        source, target = names
        if not (check_name(source, "node", faults) and check_name(target, "node", faults)):
            continue
        if source == target or (source, target) in pairs:
            is_loop = source == target
            faults.error(
                f"the link {'joins a node to itself' if is_loop else 'is written twice'}",
                source,
                got=f"{source},{target}",
                expected="every link once, between two nodes",
                remedy="delete the line",
            )
            continue
        pairs[source, target] = None
    return tuple(pairs)


def _names(words: Sequence[Word]) -> list[Word]:
    """Return the words between blanks and commas."""
    names = []
    for word in words:
        column = word.column
        for name in word.split(","):
            if name:
                names.append(Word(name, word.line, column))
            column += len(name) + 1
    return names


def dumps(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the text of a ``link_list.txt``."""
    return "\n".join((HEADER, *(f"{source},{target}" for source, target in pairs))) + "\n"


def check(pairs: Iterable[Pair], nodes: Collection[str], faults: Faults) -> None:
    """Report links of unknown nodes."""
    for pair in pairs:
        for name in pair:
            if name not in nodes:
                faults.error(
                    "a link names an unknown node",
                    name,
                    expected="a node of the network",
                    remedy=faults.suggestion(name, nodes, "add the node"),
                )
