"""A kernel that looks at all ready tasks at once, and takes the best pair of task and node."""

from __future__ import annotations

from typing import NamedTuple

from jupiter.kit.compiled import kernel
from jupiter.schedulers.kernels.columns import Maker
from jupiter.schedulers.kernels.domains import narrow, settle
from jupiter.schedulers.kernels.orders import execution_s
from jupiter.schedulers.kernels.state import State, finish_row, is_open, put, reset, start_at
from jupiter.schedulers.kernels.tables import NOWHERE, UNREACHABLE_S, Floats, Ints, Rows, Tables

LEAST_FINISH = 0
"""MinMin: the pair that finishes first."""
GREATEST_FINISH = 1
"""MaxMin: each task at its best node; of them the one that finishes last."""
SUFFERAGE = 2
"""The task that would lose most on its second-best node."""
LEAST_START = 3
"""ETF: the pair that starts first; of equal ones the task of the highest level."""
DYNAMIC_LEVEL = 4
"""DLS: the pair with the highest level, less its start, plus what the node saves on the task."""


class Pool(NamedTuple):
    """What is known of the tasks that are ready.

    Attributes:
        tasks: The ready ones first.
        waiting: Parents without a place, of every task.
        ready_s: When the inputs could be on each node. Shape: (tasks, nodes).
        value: What the best node offers, by the rule; lower is better.
        rival: What the second-best node offers.
        best: The best node.
        second: The second-best node.
        begin_s: Start on the best node.
    """

    tasks: Ints
    waiting: Ints
    ready_s: Rows
    value: Floats
    rival: Floats
    best: Ints
    second: Ints
    begin_s: Floats


def new_pool(t: Tables, maker: Maker) -> Pool:
    """Return columns of the right lengths."""
    count = t.task_count

    def floats() -> Floats:
        return maker.float_zeros(count)

    return Pool(
        tasks=maker.zeros(count),
        waiting=maker.zeros(count),
        ready_s=maker.space(count, t.node_count),
        value=floats(),
        rival=floats(),
        best=maker.zeros(count),
        second=maker.zeros(count),
        begin_s=floats(),
    )


@kernel
def place_by_ready(t: Tables, s: State, p: Pool, rule: int, level: Floats, bonus: Rows) -> bool:
    """Place all tasks; equal pairs go to the higher level, then to what is listed first.

    Args:
        t: The problem.
        s: Filled; its `stuck` says which task could not be placed.
        p: Scratch.
        rule: One of the constants of this module.
        level: Of tasks.
        bonus: Seconds that the rule `DYNAMIC_LEVEL` adds to a level by task and node; or empty.

    Returns:
        Whether every task has a place.
    """
    reset(t, s)
    if not narrow(t, s):
        return False
    size = first_ready(t, s, p.tasks, p.waiting)
    for k in range(size):
        enter(t, s, p, p.tasks[k], rule, level, bonus)
    while size > 0:
        at = choose(p, size, rule, level)
        task = p.tasks[at]
        node = p.best[task]
        while node >= 0 and not settle(t, s, task, node):
            # Only this task gives the node up: look again at what is left to it.
            s.left[task][node] = 0
            offers(t, s, p, task, rule, level, bonus)
            node = p.best[task]
        if node < 0:
            s.stuck[0], s.stuck[1] = task, -1
            return False
        begin_s = p.begin_s[task]
        put(t, s, task, node, begin_s, begin_s + execution_s(t, task, node))
        size = remove(p.tasks, size, at)
        for k in range(size):
            other = p.tasks[k]
            if p.best[other] == node or p.second[other] == node or t.is_sparse:
                offers(t, s, p, other, rule, level, bonus)
        before = size
        size = release(t, s, task, p.tasks, size, p.waiting)
        for k in range(before, size):
            enter(t, s, p, p.tasks[k], rule, level, bonus)
    return True


@kernel
def first_ready(t: Tables, s: State, tasks: Ints, waiting: Ints) -> int:
    """Fill in the tasks whose parents all have a place, and how many have none; return the size."""
    size = 0
    for k in range(t.task_count):
        task = t.order[k]
        waiting[task] = 0
        for edge in range(t.parent_first[task], t.parent_first[task + 1]):
            if s.node[t.parent[edge]] < 0:
                waiting[task] += 1
        if waiting[task] == 0 and s.node[task] < 0:
            tasks[size] = task
            size += 1
    return size


@kernel
def release(t: Tables, s: State, task: int, tasks: Ints, size: int, waiting: Ints) -> int:
    """Add the children of a task to the ready ones whose last parent it was; return the size."""
    for edge in range(t.child_first[task], t.child_first[task + 1]):
        child = t.child[edge]
        waiting[child] -= 1
        if waiting[child] == 0 and s.node[child] < 0:
            tasks[size] = child
            size += 1
    return size


@kernel
def remove(tasks: Ints, size: int, at: int) -> int:
    """Take one of the first tasks out, the others keep their order; return the new size."""
    for k in range(at, size - 1):
        tasks[k] = tasks[k + 1]
    return size - 1


@kernel
def enter(t: Tables, s: State, p: Pool, task: int, rule: int, level: Floats, bonus: Rows) -> None:
    """Note when the inputs of a task that has become ready are where, and what nodes offer."""
    finish_row(t, s, task)
    for node in range(t.node_count):
        p.ready_s[task][node] = s.ready_s[node]
    offers(t, s, p, task, rule, level, bonus)


@kernel
def offers(t: Tables, s: State, p: Pool, task: int, rule: int, level: Floats, bonus: Rows) -> None:
    """Find the best and the second-best node of a ready task.

    Other nodes can only have become worse since, so they need not be looked at before one of
    these two changes.
    """
    best = NOWHERE
    second = NOWHERE
    value = UNREACHABLE_S
    rival = UNREACHABLE_S
    best_begin_s = UNREACHABLE_S
    for node in range(t.node_count):
        seconds = execution_s(t, task, node)
        ready_s = p.ready_s[task][node]
        if seconds == UNREACHABLE_S or ready_s == UNREACHABLE_S or not is_open(t, s, task, node):
            continue
        begin_s = start_at(t, s, node, ready_s, seconds, UNREACHABLE_S)
        offer = begin_s + seconds
        if rule == LEAST_START:
            offer = begin_s
        elif rule == DYNAMIC_LEVEL:
            offer = begin_s - level[task] - bonus[task][node]
        if offer < value:
            second, rival = best, value
            best, value, best_begin_s = node, offer, begin_s
        elif offer < rival:
            second, rival = node, offer
    p.best[task] = best
    p.second[task] = second
    p.value[task] = value
    p.rival[task] = rival
    p.begin_s[task] = best_begin_s


@kernel
def choose(p: Pool, size: int, rule: int, level: Floats) -> int:
    """Return the position of the task that a rule takes next."""
    best_at = 0
    best_key = UNREACHABLE_S
    for k in range(size):
        task = p.tasks[k]
        key = p.value[task]
        if p.best[task] < 0:
            key = -UNREACHABLE_S  # it has no node, which ends everything
        elif rule == GREATEST_FINISH:
            key = -key
        elif rule == SUFFERAGE:
            key = key - p.rival[task]
        if k == 0 or key < best_key:
            best_at, best_key = k, key
        elif key == best_key and level[task] > level[p.tasks[best_at]]:
            best_at = k
    return best_at
