"""A kernel that places tasks in order and copies a parent to a node where that saves a transfer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jupiter.kit.compiled import kernel
from jupiter.schedulers.kernels.columns import Maker
from jupiter.schedulers.kernels.orders import execution_s
from jupiter.schedulers.kernels.state import (
    State,
    has_room,
    occupy,
    put,
    reset,
    start_at,
    transfer_s,
)
from jupiter.schedulers.kernels.tables import NOWHERE, UNREACHABLE_S, Floats, Ints, Rows, Tables


class Copies(NamedTuple):
    """Where tasks run, each at most once on a node.

    Attributes:
        finish_s: Of the copy of a task on a node; infinite where there is none.
            Shape: (tasks, nodes).
        task, node: Of every copy beyond the first, in the order in which they were made.
        start_s: Of these copies.
        count: How many these are (one entry).
        is_unique: 1 for tasks that must not be copied.
        arrival: Scratch of `ready_with_copies`: the parent that arrives last, and -1 or the copy.
    """

    finish_s: Rows
    task: Ints
    node: Ints
    start_s: Floats
    count_of: Ints
    is_unique: Ints
    arrival: Ints


def new_copies(t: Tables, maker: Maker, unique: Sequence[int]) -> Copies:
    """Return columns with room for one more copy of every edge's parent.

    Args:
        t: The problem.
        maker: Of the columns.
        unique: 1 for every task that must not be copied.
    """
    edges = len(t.child)
    return Copies(
        finish_s=maker.rows([[UNREACHABLE_S] * t.node_count] * t.task_count, t.node_count),
        task=maker.zeros(edges + 1),
        node=maker.zeros(edges + 1),
        start_s=maker.float_zeros(edges + 1),
        count_of=maker.zeros(1),
        is_unique=maker.ints(unique, t.task_count),
        arrival=maker.zeros(1),
    )


@kernel
def ready_with_copies(t: Tables, c: Copies, task: int, node: int, without: int) -> float:
    """Return when the inputs of a task could be on a node, each from the copy that is first there.

    `Copies.arrival` becomes the parent that arrives last, of those that have no copy on the node.

    Args:
        t: The problem.
        c: Where the parents are.
        task: The task.
        node: The node.
        without: A parent that is not waited for, or -1.
    """
    ready_s = t.release_s
    c.arrival[0] = NOWHERE
    for edge in range(t.parent_first[task], t.parent_first[task + 1]):
        parent = t.parent[edge]
        if parent == without:
            continue
        arrive_s = UNREACHABLE_S
        for source in range(t.node_count):
            if c.finish_s[parent][source] < UNREACHABLE_S:
                way_s = transfer_s(t, edge, source, node)
                arrive_s = min(arrive_s, c.finish_s[parent][source] + way_s)
        if arrive_s > ready_s:
            ready_s = arrive_s
            c.arrival[0] = parent if c.finish_s[parent][node] == UNREACHABLE_S else NOWHERE
    return ready_s


@kernel
def copy_start_s(t: Tables, s: State, c: Copies, task: int, node: int, child: int) -> float:
    """Return when a copy of a child's parent could start on a node; infinite where it cannot."""
    seconds = execution_s(t, task, node)
    if seconds == UNREACHABLE_S or t.pin[task] >= 0 or c.is_unique[task] == 1:
        return UNREACHABLE_S
    if t.is_limited:
        # The child needs room as well; a pinned one has it already.
        own = 0 if t.pin[child] >= 0 else 1
        if s.used_places[node] + 1 + own > t.places[node]:
            return UNREACHABLE_S
        needed = t.memory_bytes[task] + own * t.memory_bytes[child]
        if s.used_bytes[node] + needed > t.room_bytes[node]:
            return UNREACHABLE_S
    ready_s = ready_with_copies(t, c, task, node, NOWHERE)
    if ready_s == UNREACHABLE_S:
        return UNREACHABLE_S
    return start_at(t, s, node, ready_s, seconds, UNREACHABLE_S)


@kernel
def place_with_copies(t: Tables, s: State, c: Copies, order: Ints) -> bool:
    """Place all tasks, each on the node that finishes it first, with a copy of a parent or without.

    On every node the parent whose output arrives last may be copied, if the task can then start
    earlier there; the copy takes time of its node like any execution.

    Returns:
        Whether every task has a place.
    """
    reset(t, s)
    for k in range(t.task_count):
        task = order[k]
        if s.node[task] >= 0:
            c.finish_s[task][s.node[task]] = s.finish_s[task]
            continue
        best = NOWHERE
        best_end_s = UNREACHABLE_S
        for node in range(t.node_count):
            end_s = finish_on(t, s, c, task, node, False)
            if end_s < best_end_s:
                best, best_end_s = node, end_s
        if best < 0:
            s.stuck[0], s.stuck[1] = task, -1
            return False
        finish_on(t, s, c, task, best, True)
    return True


@kernel
def finish_on(t: Tables, s: State, c: Copies, task: int, node: int, is_real: bool) -> float:
    """Return when a task could finish on a node, with or without a copy; and do it if wanted."""
    seconds = execution_s(t, task, node)
    if seconds == UNREACHABLE_S:
        return UNREACHABLE_S
    if t.is_limited and not has_room(t, s, task, node):
        return UNREACHABLE_S
    ready_s = ready_with_copies(t, c, task, node, NOWHERE)
    parent = c.arrival[0]
    plain_s = UNREACHABLE_S
    if ready_s < UNREACHABLE_S:
        plain_s = start_at(t, s, node, ready_s, seconds, UNREACHABLE_S)
    if parent >= 0:
        copy_s = copy_start_s(t, s, c, parent, node, task)
        if copy_s < UNREACHABLE_S:
            copied_s = copy_s + execution_s(t, parent, node)
            others_s = ready_with_copies(t, c, task, node, parent)
            # The copy may take the gap that the task would have had, so the task comes after it.
            start_s = start_at(t, s, node, max(copied_s, others_s), seconds, UNREACHABLE_S)
            if start_s < plain_s:
                if is_real:
                    add_copy(t, s, c, parent, node, copy_s, copied_s)
                    start_s = start_at(t, s, node, max(copied_s, others_s), seconds, UNREACHABLE_S)
                    put(t, s, task, node, start_s, start_s + seconds)
                    c.finish_s[task][node] = start_s + seconds
                return start_s + seconds
    if plain_s == UNREACHABLE_S:
        return UNREACHABLE_S
    if is_real:
        put(t, s, task, node, plain_s, plain_s + seconds)
        c.finish_s[task][node] = plain_s + seconds
    return plain_s + seconds


@kernel
def add_copy(
    t: Tables, s: State, c: Copies, task: int, node: int, start_s: float, finish_s: float
) -> None:
    """Run a task a second time, on another node."""
    if finish_s > start_s:
        occupy(t, s, node, start_s, finish_s)
    if t.is_limited:
        s.used_places[node] += 1
        s.used_bytes[node] += t.memory_bytes[task]
    c.finish_s[task][node] = finish_s
    at = c.count_of[0]
    c.task[at] = task
    c.node[at] = node
    c.start_s[at] = start_s
    c.count_of[0] = at + 1
