"""The rules that every task graph must keep, however it is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from jupiter.formats.text import Faults, Word, check_distinct, check_name
from jupiter.kit.names import fold, printable
from jupiter.model.graph import find_cycle
from jupiter.model.ids import HOME, TaskId

HOMES = (str(HOME), "scheduler")
"""Children that mean "this is a result"; the second one is of the seeds' first system."""
TASKS_MAX = 10_000
EDGES_MAX = 100_000
CHILDREN_MAX = 1_000
NAMES_SHOWN_MAX = 10


@dataclass(frozen=True, slots=True)
class Declared:
    """A task as it was written.

    Attributes:
        name: Of the task.
        children: Other tasks; home, services and the task itself left out.
        inputs: Inputs that one execution waits for; None where the file does not say.
        inputs_at: Where `inputs` is written.
        is_sink: Its outputs are results.
    """

    name: Word
    children: tuple[Word, ...]
    inputs: int | None = None
    inputs_at: Word | None = None
    is_sink: bool = False


def check_task_names(names: Sequence[Word], faults: Faults) -> None:
    """Report names that no task can have, and names that cannot stand beside each other."""
    for name in names:
        if check_name(name, "task", faults) and fold(name) in HOMES:
            faults.error(
                "a task has the name of the place where results go",
                name,
                expected="any name but home and scheduler",
                remedy="rename the task",
            )
    check_distinct(names, "task", faults)


def check_children(
    task: Word, children: Sequence[Word], known: Collection[str], faults: Faults
) -> None:
    """Report children that are unknown, written twice, or the task itself.

    Args:
        task: The parent.
        children: As written, home included.
        known: Everything that can be a child, by name; home is always known.
        faults: Taken in.
    """
    if len(children) > CHILDREN_MAX:
        faults.error(
            f"task {printable(task)} has too many children",
            task,
            got=str(len(children)),
            expected=f"at most {CHILDREN_MAX}",
            remedy="put a task in between that passes outputs on",
        )
    seen: set[str] = set()
    for child in children:
        if child in seen:
            faults.error(
                f"task {printable(task)} names a child twice",
                child,
                expected="every child once",
                remedy="delete one of them; a child gets all outputs that are its own anyway",
            )
        elif child == task:
            faults.error(
                f"task {printable(task)} is its own child",
                child,
                expected="other tasks; only a task without children may name itself, and only so",
                remedy="delete the child",
            )
        elif child not in known and child not in HOMES:
            faults.error(
                f"child {printable(child)} of task {printable(task)} is no task",
                child,
                expected="the name of a task, or home",
                remedy=faults.suggestion(
                    child, chain(HOMES[:1], known), "write the missing task, or correct the name"
                ),
            )
        seen.add(child)


def check_graph(tasks: Sequence[Declared], faults: Faults) -> None:
    """Report what is wrong with a graph as a whole, and note what its author may not know."""
    if not tasks:
        faults.error(
            "the application has no task",
            expected="at least one task",
            remedy="write a task; helper services alone process nothing",
        )
        return
    children: dict[TaskId, list[TaskId]] = {TaskId(task.name): [] for task in tasks}
    parents: dict[TaskId, int] = dict.fromkeys(children, 0)
    for task in tasks:
        for child in dict.fromkeys(task.children):
            if TaskId(child) in children and child != task.name:
                children[TaskId(task.name)].append(TaskId(child))
                parents[TaskId(child)] += 1
    _check_size(tasks, children, faults)
    _check_cycle(tasks, children, parents, faults)
    for task in tasks:
        _check_inputs(task, parents[TaskId(task.name)], faults)
    _note_ends(tasks, parents, faults)


def _check_size(
    tasks: Sequence[Declared], children: Mapping[TaskId, Sequence[TaskId]], faults: Faults
) -> None:
    edges = sum(map(len, children.values()))
    for count, most, what in ((len(tasks), TASKS_MAX, "tasks"), (edges, EDGES_MAX, "edges")):
        if count > most:
            faults.error(
                f"the graph has too many {what}",
                got=str(count),
                expected=f"at most {most}",
                remedy="split the application",
            )


def _check_cycle(
    tasks: Sequence[Declared],
    children: Mapping[TaskId, Sequence[TaskId]],
    parents: Mapping[TaskId, int],
    faults: Faults,
) -> None:
    cycle = find_cycle(children)
    if cycle is None:
        return
    places = {task.name: task.name for task in tasks}
    faults.error(
        "the tasks run in a circle",
        places[Word(cycle[0])],
        got=" -> ".join(cycle),
        expected="a graph without cycles",
        remedy="remove one of these edges",
    )
    if not any(task.is_sink or not children[TaskId(task.name)] for task in tasks):
        faults.error(
            "no task ends the graph",
            expected="at least one task whose outputs are results",
            remedy=f"give the last task the child {HOMES[0]}",
        )
    entries = [name for name, count in parents.items() if not count]
    reached = _reach(entries, children)
    for task in tasks:
        if task.name not in reached and TaskId(task.name) not in cycle:
            faults.error(
                f"task {printable(task.name)} cannot be reached from any entry task",
                task.name,
                got=f"entry tasks: {_few(entries) or 'none'}",
                expected="a way from a task without parents",
                remedy="break the circle before it",
            )


def _reach(
    entries: Iterable[TaskId], children: Mapping[TaskId, Sequence[TaskId]]
) -> frozenset[str]:
    reached: set[str] = set(entries)
    open_tasks = list(reached)
    while open_tasks:
        for child in children[TaskId(open_tasks.pop())]:
            if child not in reached:
                reached.add(child)
                open_tasks.append(child)
    return frozenset(reached)


def _check_inputs(task: Declared, parents: int, faults: Faults) -> None:
    """Compare the written number of inputs with the parents; an entry task has one input."""
    if task.inputs is None or task.inputs == max(1, parents):
        return
    faults.error(
        f"task {printable(task.name)} waits for {task.inputs} inputs but has {parents} parents",
        task.inputs_at or task.name,
        got=str(task.inputs),
        expected=f"{max(1, parents)}" if parents else "1, because nothing comes before it",
        remedy=f"write {max(1, parents)}, or correct the children of the other tasks",
    )


def _note_ends(tasks: Sequence[Declared], parents: Mapping[TaskId, int], faults: Faults) -> None:
    entries = [task.name for task in tasks if not parents[TaskId(task.name)]]
    if len(entries) > 1:
        faults.note(f"every item goes to all {len(entries)} tasks without parents: {_few(entries)}")
    leaves = [task.name for task in tasks if not task.is_sink and not task.children]
    if leaves:
        faults.note(f"outputs of tasks without a child are results: {_few(leaves)}", leaves[0])


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN_MAX])
    more = len(names) - NAMES_SHOWN_MAX
    return f"{shown} and {more} more" if more > 0 else shown
