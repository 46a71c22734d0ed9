"""``static_assignment.py``: a graph and its placement as two Python literals; nothing is run.

Each of ``dag`` and ``schedule`` is a list ``[entry, {task: [NUM_INPUTS, FLAG, child…]}, hosts]``.
The hosts are ``{task: node}`` in ``dag``, and ``{task: [task, host name]}`` in ``schedule``. A JSON
object with the same two keys is read too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jupiter.formats.literal import read_assignments, read_json_object
from jupiter.formats.text import Content, Faults, Parsed, Places, Word, check_name, parse_with
from jupiter.formats.toml_source import shown
from jupiter.kit.names import printable

NAMES = ("dag", "schedule")
_FORM = "[entry, {task: [NUM_INPUTS, FLAG, child…]}, hosts]"
_FLAGS = {"true": True, "false": False, True: True, False: False}


@dataclass(frozen=True, slots=True)
class StaticTask:
    """One task: NUM_INPUTS, FLAG and children as in ``configuration.txt``."""

    inputs: int
    is_broadcast: bool
    children: tuple[str, ...]


@dataclass(frozen=True)
class Placed:
    """One of the two lists.

    Attributes:
        entry: The first task.
        tasks: By name.
        hosts: Node of every task in ``dag``; computer of every task, and of home, in ``schedule``.
    """

    entry: str
    tasks: Mapping[str, StaticTask]
    hosts: Mapping[str, str]


@dataclass(frozen=True)
class StaticAssignment:
    """The whole file."""

    dag: Placed
    schedule: Placed


def parse(content: Content, file: str = "") -> Parsed[StaticAssignment]:
    """Return the two lists.

    Raises:
        InputError: The text is anything but the two literals, or they have another shape.
    """
    return parse_with(read, content, file)


def read(content: Content, faults: Faults) -> StaticAssignment:
    """Return what can be understood; the rest is reported."""
    head = content.lstrip()[:1]
    is_json = head in ("{", b"{")
    found = (read_json_object if is_json else read_assignments)(content, faults)
    empty = Placed("", {}, {})
    if found is None:
        return StaticAssignment(empty, empty)
    values, places = found
    placed = {}
    for name in NAMES:
        placed[name] = empty
        if name in values:
            placed[name] = _read_list(values[name], name, places, faults)
        else:
            faults.error(
                f"{name} is missing", expected=f"{name} = {_FORM}", remedy="add it to the file"
            )
    for name in values:
        if name not in NAMES:
            faults.error(
                f"{printable(name)} is unknown",
                places.at(name),
                got="",
                expected=" and ".join(NAMES),
                remedy=faults.suggestion(name, NAMES, "delete it"),
            )
    return StaticAssignment(placed["dag"], placed["schedule"])


def _wrong(what: str, value: object, at: Word, expected: str, faults: Faults) -> None:
    faults.error(
        f"{what} has another shape",
        at,
        got=shown(value),
        expected=expected,
        remedy="correct the value",
    )


def _read_list(value: object, name: str, places: Places, faults: Faults) -> Placed:
    if (
        not isinstance(value, list)
        or len(value) != 3
        or not isinstance(value[0], str)
        or not isinstance(value[1], dict)
        or not isinstance(value[2], dict)
    ):
        _wrong(name, value, places.at(name), _FORM, faults)
        return Placed("", {}, {})
    entry, table, hosts = value
    tasks = {}
    for task, row in table.items():
        check_name(places.word(task, name, 1, task), "task", faults)
        found = _read_task(task, row, places.at(name, 1, task), faults)
        if found is not None:
            tasks[task] = found
    for task, found in tasks.items():
        for child in found.children:
            if child not in (*table, "home", "scheduler"):
                faults.error(
                    f"child {printable(child)} of task {printable(task)} is no task",
                    places.at(name, 1, task),
                    got=printable(child),
                    expected="a task of the list, or home",
                    remedy=faults.suggestion(child, table, "add the task"),
                )
    if entry not in table:
        _wrong(f"the entry task of {name}", entry, places.at(name, 0), "one of the tasks", faults)
    return Placed(entry, tasks, _read_hosts(hosts, name, places, faults))


def _read_task(task: str, row: object, at: Word, faults: Faults) -> StaticTask | None:
    form = "[NUM_INPUTS, FLAG, child…]"
    if not isinstance(row, list) or len(row) < 2:
        _wrong(f"task {printable(task)}", row, at, form, faults)
        return None
    inputs, flag, *children = row
    count = int(inputs) if str(inputs).isdecimal() and len(str(inputs)) < 6 else 0
    if count < 1 or isinstance(inputs, bool):
        _wrong(f"NUM_INPUTS of task {printable(task)}", inputs, at, "a number from 1 on", faults)
        return None
    if not isinstance(flag, str | bool) or flag not in _FLAGS:
        _wrong(f"FLAG of task {printable(task)}", flag, at, "true or false", faults)
        return None
    if not all(isinstance(child, str) for child in children):
        _wrong(f"task {printable(task)}", row, at, form, faults)
        return None
    return StaticTask(count, _FLAGS[flag], tuple(children))


def _read_hosts(
    hosts: Mapping[str, object], name: str, places: Places, faults: Faults
) -> dict[str, str]:
    """Return a host by task, from a name or a pair of the task and a name."""
    found = {}
    for task, host in hosts.items():
        if isinstance(host, list) and len(host) == 2 and host[0] == task:
            host = host[1]
        if isinstance(host, str):
            found[task] = host
        else:
            expected = "a name, or [the task, a name]"
            _wrong(
                f"the host of {printable(task)}", host, places.at(name, 2, task), expected, faults
            )
    return found


def dumps(assignment: StaticAssignment) -> str:
    """Return the text of a ``static_assignment.py``."""
    dag = _plain(assignment.dag)
    schedule = _plain(assignment.schedule)
    schedule[2] = {task: [task, host] for task, host in assignment.schedule.hosts.items()}
    return f"dag = {dag!r}\nschedule = {schedule!r}\n"


def _plain(placed: Placed) -> list[object]:
    tasks = {
        str(name): [str(task.inputs), "true" if task.is_broadcast else "false", *task.children]
        for name, task in placed.tasks.items()
    }
    return [placed.entry, tasks, dict(placed.hosts)]
