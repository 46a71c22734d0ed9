"""The seeds' TGFF dialect, the input of their HEFT: graph, computation costs, link curves.

Costs are read as the numbers that stand there; what they mean (tenths of a second, Kbit,
milliseconds) and the seeds' quirks are for whoever makes a problem of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from jupiter.formats.text import (
    Content,
    Faults,
    Line,
    Parsed,
    Word,
    check_distinct,
    parse_with,
    read_number,
    word_lines,
)
from jupiter.kit.names import nearest, printable

GRAPH, COSTS, LINKS = "@TASK_GRAPH", "@computation_cost", "@quadratic"
SECTIONS = (GRAPH, COSTS, LINKS)


@dataclass(frozen=True)
class Tgff:
    """A file.

    Attributes:
        tasks: Names in the order of their numbers.
        arcs: (source, target) to Kbit, in written order.
        nodes: Names of the processors, in the order of the cost columns.
        costs: One row a task, one number a processor: seconds times ten.
        links: (source, target) to a, b, c of ``ms = a x² + b x + c``, x in Kbit; of a pair that is
            there twice the last one.
    """

    tasks: tuple[str, ...]
    arcs: Mapping[tuple[str, str], float]
    nodes: tuple[str, ...] = ()
    costs: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    links: Mapping[tuple[str, str], tuple[float, float, float]] = field(default_factory=dict)


def parse(content: Content, file: str = "input.tgff") -> Parsed[Tgff]:
    """Read a file.

    Raises:
        InputError: With every fault.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> Tgff:
    """Return what can be understood; the rest is reported."""
    sections: dict[str, list[Line]] = {}
    for name, at, lines in _sections(word_lines(content, faults), faults):
        if name in sections:
            faults.error(
                f"there are two sections {name}", at, expected="one", remedy="remove one of them"
            )
        sections.setdefault(name, lines)
    if GRAPH not in sections:
        faults.error(
            f"the section {GRAPH} is missing",
            expected=f"{GRAPH} 0 {{ … }}",
            remedy="check that this is the right file",
        )
    tasks, arcs = _graph(sections.get(GRAPH, []), faults)
    nodes, costs = _costs(sections.get(COSTS, []), tasks, faults)
    return Tgff(tasks, arcs, nodes, costs, _links(sections.get(LINKS, []), faults))


def _sections(lines: list[Line], faults: Faults) -> Iterator[tuple[str, Word, list[Line]]]:
    name: Word | None = None
    inside: list[Line] = []
    for line in lines:
        first = line.words[0]
        if first.startswith("@"):
            if name is not None:
                _unclosed(name, faults)
                yield str(name), name, inside
            if first not in SECTIONS:
                match = nearest(first, SECTIONS)
                faults.error(
                    "unknown section",
                    first,
                    expected=" or ".join(SECTIONS),
                    remedy=f"did you mean {match}?" if match else "remove it",
                )
            name, inside = first, []
        elif first == "}" and name is not None:
            yield str(name), name, inside
            name = None
        elif name is None:
            faults.error(
                "the line is in no section", first, expected="@SECTION 0 {", remedy="remove it"
            )
        else:
            inside.append(line)
    if name is not None:
        _unclosed(name, faults)
        yield str(name), name, inside


def _unclosed(name: Word, faults: Faults) -> None:
    faults.error(
        f"the section {name} is not closed", name, expected="a line with }", remedy="add it"
    )


def _graph(
    lines: list[Line], faults: Faults
) -> tuple[tuple[str, ...], dict[tuple[str, str], float]]:
    tasks: list[Word] = []
    arcs: dict[tuple[str, str], float] = {}
    for line in lines:
        words = line.words
        match words:
            case ("TASK", name, "TYPE", _):
                tasks.append(name)
            case ("ARC", _, "FROM", source, "TO", target, "TYPE", size):
                pair = (_task(source, tasks, faults), _task(target, tasks, faults))
                kbit = read_number(size, faults, "the size of an arc", low=0.0)
                if pair in arcs:
                    faults.error(
                        "the arc is there twice",
                        words[0],
                        got=" to ".join(pair),
                        expected="one arc a pair",
                        remedy="remove one of them",
                    )
                arcs[pair] = kbit or 0.0
            case ("APERIODIC",):
                continue
            case _:
                faults.error(
                    "is neither a task nor an arc",
                    words[0],
                    got=printable(line.text.strip()),
                    expected="TASK name TYPE k, or ARC id FROM t0_i TO t0_j TYPE kbit",
                    remedy="correct the line",
                )
    check_distinct(tasks, "task", faults)
    return tuple(map(str, tasks)), arcs


def _task(word: Word, tasks: list[Word], faults: Faults) -> str:
    """Return the task that ``t0_i`` stands for."""
    digits = word.removeprefix("t0_")
    index = int(digits) if digits.isdecimal() and len(digits) < 9 else -1
    if word.startswith("t0_") and 0 <= index < len(tasks):
        return str(tasks[index])
    faults.error(
        "names an unknown task",
        word,
        expected=f"t0_0 to t0_{len(tasks) - 1}",
        remedy="count the TASK lines from 0",
    )
    return str(word)


def _costs(
    lines: list[Line], tasks: tuple[str, ...], faults: Faults
) -> tuple[tuple[str, ...], dict[str, tuple[float, ...]]]:
    nodes: tuple[str, ...] = ()
    costs: dict[str, tuple[float, ...]] = {}
    words_of_tasks = [Word(task) for task in tasks]
    for line in lines:
        if line.words[0] == "#":
            nodes = tuple(str(word) for word in line.words[3:])
            continue
        task = _task(line.words[0], words_of_tasks, faults)
        numbers = line.words[2:]
        if len(numbers) != len(nodes):
            faults.error(
                f"the cost row of {task} has {len(numbers)} columns",
                line.words[0],
                expected=f"{len(nodes)}, one a processor",
                remedy="write a cost for every processor of the line that begins with #",
            )
            continue
        found = [read_number(word, faults, "a cost", low=0.0) for word in numbers]
        costs[task] = tuple(value or 0.0 for value in found)
    return nodes, costs


def _links(lines: list[Line], faults: Faults) -> dict[tuple[str, str], tuple[float, float, float]]:
    links: dict[tuple[str, str], tuple[float, float, float]] = {}
    repeated = 0
    for line in lines:
        if line.words[0] == "#":
            continue
        pair = (str(line.words[0]), str(line.words[1]) if len(line.words) > 1 else "")
        repeated += pair in links
        curve = read_curve(line.words[2:], line.words[0], faults)
        if curve is not None:
            links[pair] = curve
    if repeated:
        faults.note(f"{repeated} links are there twice; the last one counts")
    return links


def read_curve(
    words: tuple[Word, ...], at: Word, faults: Faults
) -> tuple[float, float, float] | None:
    """Return a, b, c of a link, or None after reporting why they are none.

    A curve that is negative where it begins and falls from there is refused; one that falls only
    for large sizes, as most that the seeds measured do, is taken.
    """
    if len(words) != 3:
        faults.error(
            f"a link has {len(words)} parameters",
            at,
            expected="three numbers: a b c",
            remedy="write the quadratic, linear and constant term",
        )
        return None
    found = [read_number(word, faults, "a parameter of a link") for word in words]
    if any(value is None for value in found):
        return None
    a, b, c = (value or 0.0 for value in found)
    if c < 0 and a <= 0 and b <= 0:
        faults.error(
            "the curve of a link is negative everywhere",
            words[0],
            got=" ".join(words),
            expected="transfer times of 0 or more",
            remedy="measure the link again",
        )
        return None
    return a, b, c


def dumps(tgff: Tgff) -> str:
    """Return the text of a file, laid out as the seeds' readers need it."""
    index = {task: k for k, task in enumerate(tgff.tasks)}
    rows = [f"{GRAPH} 0 {{", "\tAPERIODIC", ""]
    rows += [f"\tTASK {task}\tTYPE {k}" for task, k in index.items()]
    rows.append("")
    for k, ((source, target), kbit) in enumerate(tgff.arcs.items()):
        ends = f"FROM t0_{index[source]} TO t0_{index[target]}"
        rows.append(f"\tARC a0_{k} \t{ends} \tTYPE {kbit:g}")
    rows += ["", "}", "", f"{COSTS} 0 {{", " ".join(("# type version", *tgff.nodes))]
    for task, costs in tgff.costs.items():
        rows.append(f"  t0_{index[task]}    0\t{' '.join(f'{cost!r}' for cost in costs)}")
    rows += ["}", "", f"{LINKS} 0 {{", "# Source Destination a b c"]
    for (source, target), curve in tgff.links.items():
        rows.append(f"  {source}\t{target}\t{' '.join(repr(value) for value in curve)}")
    rows.append("}")
    return "\n".join(rows) + "\n"
