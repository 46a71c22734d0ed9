"""Kernels that place tasks in a given order, each on the node that a rule picks."""

from __future__ import annotations

from jupiter.kit.compiled import kernel
from jupiter.schedulers.kernels.domains import narrow, settle
from jupiter.schedulers.kernels.orders import execution_row, execution_s
from jupiter.schedulers.kernels.state import (
    State,
    finish_row,
    has_room,
    is_open,
    put,
    ready_at,
    ready_row,
    reset,
    start_at,
)
from jupiter.schedulers.kernels.tables import NOWHERE, UNREACHABLE_S, Ints, Rows, Tables

FINISH = 0
"""Earliest finish."""
FINISH_AND_TAIL = 1
"""Earliest finish plus a given time, such as PEFT's optimistic cost."""
EXECUTION = 2
"""Least execution time; of equal ones earliest finish."""
AVAILABLE = 3
"""The node that is free first, whatever it needs; of equal ones earliest finish."""
LOOK_AHEAD = 4
"""The node from which the children can finish earliest."""
OFFER = 5
"""The least of the given numbers."""


@kernel
def place_by_order(t: Tables, s: State, order: Ints, rule: int, tail_s: Rows, wanted: Ints) -> bool:
    """Place all tasks; equal offers go to the node listed first.

    Args:
        t: The problem.
        s: Filled; its `stuck` says which task could not be placed.
        order: All tasks, parents first.
        rule: One of the constants of this module.
        tail_s: A number for each task and node, for the rules `FINISH_AND_TAIL` and `OFFER`; or
            empty.
        wanted: Node of tasks that are to be on a certain one if they can, -1 for others; or empty.

    Returns:
        Whether every task has a place.
    """
    reset(t, s)
    if not narrow(t, s):
        return False
    for k in range(t.task_count):
        task = order[k]
        if s.node[task] >= 0:
            continue
        if rule == FINISH and len(wanted) == 0 and not t.is_sparse:
            node = earliest_finish(t, s, task)
            if node < 0:
                s.stuck[0], s.stuck[1] = task, -1
                return False
            put(t, s, task, node, s.begin_s[node], s.end_s[node])
            continue
        finish_row(t, s, task)
        node = NOWHERE
        if len(wanted) > 0 and wanted[task] >= 0 and s.end_s[wanted[task]] < UNREACHABLE_S:
            node = wanted[task]
        while True:
            if node < 0:
                node = pick(t, s, task, rule, tail_s)
            if node < 0:
                s.stuck[0], s.stuck[1] = task, -1
                return False
            if settle(t, s, task, node):
                break
            s.end_s[node] = UNREACHABLE_S
            node = NOWHERE
        put(t, s, task, node, s.begin_s[node], s.end_s[node])
    return True


@kernel
def earliest_finish(t: Tables, s: State, task: int) -> int:
    """Return the node that finishes a task first, as `finish_row` and `pick` would, but sooner.

    Gaps are searched only on nodes that could still win if the task started there as soon as its
    inputs are there; `begin_s` and `end_s` hold for the node that is returned.
    """
    ready_row(t, s, task)
    execution_row(t, task, s.seconds)
    end_s = s.end_s
    ready_s = s.ready_s
    for node in range(t.node_count):
        end_s[node] = ready_s[node] + s.seconds[node]
    first = NOWHERE
    least_s = UNREACHABLE_S
    for node in range(t.node_count):
        if end_s[node] < least_s and (not t.is_limited or is_open(t, s, task, node)):
            first, least_s = node, end_s[node]
    if first < 0:
        return NOWHERE
    # The most promising node gives the bar that the others must reach.
    s.begin_s[first] = start_at(t, s, first, ready_s[first], s.seconds[first], UNREACHABLE_S)
    best, best_s = first, s.begin_s[first] + s.seconds[first]
    for node in range(t.node_count):
        if end_s[node] > best_s or node == first:
            continue
        if t.is_limited and not is_open(t, s, task, node):
            continue
        begin_s = start_at(t, s, node, ready_s[node], s.seconds[node], best_s)
        done_s = begin_s + s.seconds[node]
        if done_s < best_s or (done_s == best_s and node < best and done_s < UNREACHABLE_S):
            best, best_s = node, done_s
            s.begin_s[node] = begin_s
    s.end_s[best] = best_s
    return best


@kernel
def pick(t: Tables, s: State, task: int, rule: int, tail_s: Rows) -> int:
    """Return the node that a rule picks from `end_s`, or -1 where every offer is infinite."""
    best = NOWHERE
    best_value = UNREACHABLE_S
    best_end_s = UNREACHABLE_S
    for node in range(t.node_count):
        end_s = s.end_s[node]
        if end_s == UNREACHABLE_S:
            continue
        value = end_s
        if rule == FINISH_AND_TAIL:
            value = end_s + tail_s[task][node]
        elif rule == EXECUTION:
            value = execution_s(t, task, node)
        elif rule == AVAILABLE:
            value = s.tail_s[node]
        elif rule == OFFER:
            value = tail_s[task][node]
        elif rule == LOOK_AHEAD:
            value = children_finish_s(t, s, task, node)
        if value < best_value or (value == best_value and end_s < best_end_s):
            best, best_value, best_end_s = node, value, end_s
    return best


@kernel
def children_finish_s(t: Tables, s: State, task: int, node: int) -> float:
    """Return the latest of the earliest finishes of the children, with the task on a node.

    Parents of the children that have no place yet do not count. A child can never start before
    its parent's finish, so the gaps need not know of the parent's place.
    """
    latest_s = s.end_s[node]
    for edge in range(t.child_first[task], t.child_first[task + 1]):
        child = t.child[edge]
        execution_row(t, child, s.seconds)
        earliest_s = UNREACHABLE_S
        for other in range(t.node_count):
            if s.seconds[other] == UNREACHABLE_S or not is_open(t, s, child, other):
                continue
            ready_s = t.release_s
            for back in range(t.parent_first[child], t.parent_first[child + 1]):
                parent = t.parent[back]
                source = node if parent == task else s.node[parent]
                if source < 0:
                    continue
                done_s = s.end_s[node] if parent == task else s.finish_s[parent]
                if t.parent_matrix[back] >= 0:
                    way_s = t.matrices[t.parent_matrix[back]][source][other]
                else:
                    size = t.parent_bytes[back]
                    way_s = t.latency_s[source][other] + size * t.rate[source][other]
                ready_s = max(ready_s, done_s + way_s)
            if ready_s + s.seconds[other] < earliest_s:
                start_s = start_at(t, s, other, ready_s, s.seconds[other], UNREACHABLE_S)
                earliest_s = min(earliest_s, start_s + s.seconds[other])
        latest_s = max(latest_s, earliest_s)
    return latest_s


@kernel
def place_where_told(t: Tables, s: State, order: Ints, nodes: Ints) -> int:
    """Place all tasks on given nodes, each as early as it can be.

    Returns:
        -1, or the task that cannot be on its node, or whose inputs cannot get there.
    """
    reset(t, s)
    for k in range(t.task_count):
        task = order[k]
        if s.node[task] >= 0:
            continue
        node = nodes[task]
        seconds = execution_s(t, task, node)
        ready_s = ready_at(t, s, task, node)
        if seconds == UNREACHABLE_S or ready_s == UNREACHABLE_S:
            return task
        if t.is_limited and not has_room(t, s, task, node):
            return task
        start_s = start_at(t, s, node, ready_s, seconds, UNREACHABLE_S)
        put(t, s, task, node, start_s, start_s + seconds)
    return NOWHERE
