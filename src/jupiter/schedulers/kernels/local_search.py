"""A kernel that improves a schedule by small changes of places and order.

A solution is a node for each task and an order of all tasks, parents first; its times follow from
placing one task after the other behind what its node has already. Every schedule that a change of
one start alone cannot shorten has this form. One step moves a task to another node, to another
place in the order, or both, and keeps the change where it is better or not much worse; how much is
a temperature that the caller lowers. Only what comes after the change is placed again.
"""

from __future__ import annotations

from typing import NamedTuple

from jupiter.kit.compiled import kernel
from jupiter.schedulers.kernels.columns import Maker
from jupiter.schedulers.kernels.orders import execution_s
from jupiter.schedulers.kernels.state import transfer_s
from jupiter.schedulers.kernels.tables import UNREACHABLE_S, Floats, Ints, Rows, Tables

MAKESPAN = 0
PERIOD = 1
BOTH = 2

_MULTIPLIER = 48271
_MODULUS = 2147483647
_SAME = 1 + 1e-12
_FINE = 1 << 20


class Search(NamedTuple):
    """A solution, the best one so far, and what is needed to change them.

    Attributes:
        order: Of the current solution.
        place: Of every task in `order`.
        nodes: Of the current solution.
        best_order, best_nodes: Of the best solution.
        values: Of the current and of the best solution.
        movable: Tasks that may change their node.
        critical: Scratch: tasks that decide the makespan of the current solution.
        sizes: How many are movable, how many critical, and the steps done.
        tail_s: Least time from the end of each task to the end of everything.
        start_s, finish_s: Of every task in the current solution.
        trial_start_s, trial_finish_s: Of the tasks that a step has placed again.
        free_s: When each lane is free before the task at each place. Shape: (tasks + 1, lanes).
        trial_free_s: When each lane is free in a step.
        load_s: Scratch: load of every node, then of every link.
        random: The state of the random numbers.
    """

    order: Ints
    place: Ints
    nodes: Ints
    best_order: Ints
    best_nodes: Ints
    values: Floats
    movable: Ints
    critical: Ints
    sizes: Ints
    tail_s: Floats
    start_s: Floats
    finish_s: Floats
    trial_start_s: Floats
    trial_finish_s: Floats
    free_s: Rows
    trial_free_s: Floats
    load_s: Floats
    random: Ints


def new_search(t: Tables, maker: Maker, seed: int) -> Search:
    """Return columns of the right lengths; `adopt` makes a solution the current one."""
    count, width, lanes = t.task_count, t.node_count, int(t.lane_first[-1])
    return Search(
        order=maker.zeros(count),
        place=maker.zeros(count),
        nodes=maker.zeros(count),
        best_order=maker.zeros(count),
        best_nodes=maker.zeros(count),
        values=maker.floats([UNREACHABLE_S, UNREACHABLE_S], 2),
        movable=maker.zeros(count),
        critical=maker.zeros(count),
        sizes=maker.zeros(3),
        tail_s=maker.float_zeros(count),
        start_s=maker.float_zeros(count),
        finish_s=maker.float_zeros(count),
        trial_start_s=maker.float_zeros(count),
        trial_finish_s=maker.float_zeros(count),
        free_s=maker.space(count + 1, lanes),
        trial_free_s=maker.float_zeros(lanes),
        load_s=maker.float_zeros(width + width * width),
        random=maker.ints([1 + seed % (_MODULUS - 1)], 1),
    )


@kernel
def draw(q: Search, below: int) -> int:
    """Return a random number from 0 to below a limit; the same in every form of the kernel.

    Source: Park, Miller 1988, doi:10.1145/63039.63042, with the multiplier of 1993.
    """
    q.random[0] = q.random[0] * _MULTIPLIER % _MODULUS
    return q.random[0] % below


@kernel
def prepare(t: Tables, q: Search) -> None:
    """Fill in the tasks that may move and the least times after every task."""
    movable = 0
    for k in range(t.task_count - 1, -1, -1):
        task = t.order[k]
        tail_s = 0.0
        for edge in range(t.child_first[task], t.child_first[task + 1]):
            child = t.child[edge]
            least_s = UNREACHABLE_S
            for node in range(t.node_count):
                least_s = min(least_s, execution_s(t, child, node))
            tail_s = max(tail_s, least_s + q.tail_s[child])
        q.tail_s[task] = tail_s
        able = 0
        for node in range(t.node_count):
            if execution_s(t, task, node) < UNREACHABLE_S:
                able += 1
        if able > 1 and t.pin[task] < 0:
            q.movable[movable] = task
            movable += 1
    q.sizes[0] = movable


@kernel
def adopt(t: Tables, q: Search, order: Ints, nodes: Ints, objective: int) -> float:
    """Make a solution the current one, and the best one where it is; return its value."""
    for k in range(t.task_count):
        q.order[k] = order[k]
        q.place[order[k]] = k
        q.nodes[k] = nodes[k]
    value = evaluate(t, q, objective, UNREACHABLE_S, 0)
    accept(t, q, value, objective, 0)
    return value


@kernel
def accept(t: Tables, q: Search, value: float, objective: int, first: int) -> None:
    """Make what a step has placed, from a place in the order on, part of the current solution."""
    q.values[0] = value
    if objective != PERIOD and value < UNREACHABLE_S:
        lanes = len(q.trial_free_s)
        if first == 0:
            for lane in range(lanes):
                q.free_s[0][lane] = t.release_s
        for k in range(first, t.task_count):
            task = q.order[k]
            q.start_s[task] = q.trial_start_s[task]
            q.finish_s[task] = q.trial_finish_s[task]
            for lane in range(lanes):
                q.free_s[k + 1][lane] = q.free_s[k][lane]
            occupy(t, q, q.free_s[k + 1], task, q.finish_s[task])
        find_critical(t, q)
    if value < q.values[1]:
        keep(t, q, value)


@kernel
def occupy(t: Tables, q: Search, free_s: Floats, task: int, finish_s: float) -> None:
    """Put a task on the lane of its node that is free first."""
    if finish_s <= q.trial_start_s[task]:
        return
    node = q.nodes[task]
    first = t.lane_first[node]
    for lane in range(first + 1, t.lane_first[node + 1]):
        if free_s[lane] < free_s[first]:
            first = lane
    free_s[first] = max(free_s[first], finish_s)


@kernel
def keep(t: Tables, q: Search, value: float) -> None:
    """Remember the current solution as the best one."""
    q.values[1] = value
    for k in range(t.task_count):
        q.best_order[k] = q.order[k]
        q.best_nodes[k] = q.nodes[k]


@kernel
def evaluate(t: Tables, q: Search, objective: int, limit: float, first: int) -> float:
    """Return the value of the current solution, or infinity where it is above a limit.

    Only the tasks from a place in the order on are placed again, in the columns of a trial.
    """
    period_s = 0.0
    if objective != MAKESPAN:
        period_s = period_of(t, q)
        if objective == PERIOD:
            return period_s if period_s <= limit else UNREACHABLE_S
    makespan_limit = limit
    if objective == BOTH:
        makespan_limit = UNREACHABLE_S
    for lane in range(len(q.trial_free_s)):
        q.trial_free_s[lane] = q.free_s[first][lane] if first > 0 else t.release_s
    first_s, last_s = UNREACHABLE_S, 0.0
    for k in range(first):
        first_s = min(first_s, q.start_s[q.order[k]])
        last_s = max(last_s, q.finish_s[q.order[k]])
    for k in range(first, t.task_count):
        task = q.order[k]
        if not try_place(t, q, task, first):
            return UNREACHABLE_S
        occupy(t, q, q.trial_free_s, task, q.trial_finish_s[task])
        first_s = min(first_s, q.trial_start_s[task])
        last_s = max(last_s, q.trial_finish_s[task])
        if q.trial_finish_s[task] + q.tail_s[task] - first_s > makespan_limit:
            return UNREACHABLE_S
    if objective == BOTH:
        value = ((last_s - first_s) * period_s) ** 0.5
        return value if value <= limit else UNREACHABLE_S
    return last_s - first_s


@kernel
def try_place(t: Tables, q: Search, task: int, first: int) -> bool:
    """Find the times of a task in a trial; return whether it can be on its node."""
    if len(t.begun_s) > 0 and t.begun_s[task][1] >= 0:
        q.trial_start_s[task], q.trial_finish_s[task] = t.begun_s[task][0], t.begun_s[task][1]
        return True
    node = q.nodes[task]
    seconds = execution_s(t, task, node)
    start_s = trial_ready_s(t, q, task, first)
    if seconds == UNREACHABLE_S or start_s == UNREACHABLE_S:
        return False
    if seconds > 0.0:
        free_s = q.trial_free_s[t.lane_first[node]]
        for lane in range(t.lane_first[node] + 1, t.lane_first[node + 1]):
            free_s = min(free_s, q.trial_free_s[lane])
        start_s = max(start_s, free_s)
    q.trial_start_s[task] = start_s
    q.trial_finish_s[task] = start_s + seconds
    return True


@kernel
def trial_ready_s(t: Tables, q: Search, task: int, first: int) -> float:
    """Return when all inputs of a task could be on its node."""
    ready_s = t.release_s
    node = q.nodes[task]
    for edge in range(t.parent_first[task], t.parent_first[task + 1]):
        parent = t.parent[edge]
        done_s = q.finish_s[parent] if q.place[parent] < first else q.trial_finish_s[parent]
        ready_s = max(ready_s, done_s + transfer_s(t, edge, q.nodes[parent], node))
    return ready_s


@kernel
def has_room(t: Tables, q: Search) -> bool:
    """Return whether the current nodes keep all limits."""
    for node in range(t.node_count):
        used_bytes = 0.0
        used_places = 0
        for task in range(t.task_count):
            if q.nodes[task] == node:
                used_bytes += t.memory_bytes[task]
                used_places += 1
        if used_places > t.places[node] or used_bytes > t.room_bytes[node]:
            return False
    return True


@kernel
def period_of(t: Tables, q: Search) -> float:
    """Return the load of the busiest node or link; links are busy but for their latency."""
    width = t.node_count
    for k in range(width + width * width):
        q.load_s[k] = 0.0
    for task in range(t.task_count):
        node = q.nodes[task]
        lanes = t.lane_first[node + 1] - t.lane_first[node]
        q.load_s[node] += execution_s(t, task, node) / lanes
        for edge in range(t.child_first[task], t.child_first[task + 1]):
            target = q.nodes[t.child[edge]]
            if target == node:
                continue
            if t.child_matrix[edge] >= 0:
                # The latency of a table is not known here; counting it is the safe side.
                busy_s = t.matrices[t.child_matrix[edge]][node][target]
            else:
                busy_s = t.child_bytes[edge] * t.rate[node][target]
                if t.latency_s[node][target] == UNREACHABLE_S:
                    busy_s = UNREACHABLE_S
            q.load_s[width + node * width + target] += busy_s
    period_s = 0.0
    for k in range(width + width * width):
        period_s = max(period_s, q.load_s[k])
    return period_s


@kernel
def find_critical(t: Tables, q: Search) -> None:
    """Fill in a chain of tasks that decides the makespan: each begins when the next one lets it.

    The chain goes back from the last finish, over the parent or the task before on the node.
    """
    task = -1
    for each in range(t.task_count):
        if task < 0 or q.finish_s[each] > q.finish_s[task]:
            task = each
    size = 0
    while task >= 0 and size < t.task_count:
        q.critical[size] = task
        size += 1
        start_s = q.start_s[task]
        before = -1
        for edge in range(t.parent_first[task], t.parent_first[task + 1]):
            parent = t.parent[edge]
            way_s = transfer_s(t, edge, q.nodes[parent], q.nodes[task])
            if q.finish_s[parent] + way_s >= start_s:
                before = parent
        k = q.place[task] - 1
        while before < 0 and k >= 0:
            each = q.order[k]
            if q.nodes[each] == q.nodes[task] and q.finish_s[each] == start_s:
                before = each
            k -= 1
        task = before
    q.sizes[1] = size


@kernel
def search(t: Tables, q: Search, objective: int, steps: int, temperature: float) -> float:
    """Do some steps; return the value of the best solution.

    Args:
        t: The problem.
        q: Changed.
        objective: One of the constants of this module.
        steps: How many.
        temperature: Relative to the current value: a worse one is kept if it is worse by less than
            a random share of this.
    """
    count = t.task_count
    for _ in range(steps):
        q.sizes[2] += 1
        if q.sizes[1] > 0 and draw(q, 4) > 0:
            task = q.critical[draw(q, q.sizes[1])]
        else:
            task = draw(q, count)
        old_node, old_place = q.nodes[task], q.place[task]
        kind = draw(q, 8)
        if kind < 6:
            q.nodes[task] = other_node(t, q, task)
        if kind >= 4 or q.nodes[task] == old_node:
            shift(q, task, free_place(t, q, task))
        if q.nodes[task] == old_node and q.place[task] == old_place:
            continue
        first = min(q.place[task], old_place)
        margin = temperature * (draw(q, _FINE) / float(_FINE))
        limit = q.values[0] * (1.0 + margin) * _SAME
        value = UNREACHABLE_S
        if not t.is_limited or has_room(t, q):
            value = evaluate(t, q, objective, limit, first)
        if value == UNREACHABLE_S:
            shift(q, task, old_place)
            q.nodes[task] = old_node
        else:
            accept(t, q, value, objective, first)
    return q.values[1]


@kernel
def other_node(t: Tables, q: Search, task: int) -> int:
    """Return a random node for a task: that of a neighbour in the graph, or any."""
    if t.pin[task] >= 0:
        return q.nodes[task]
    for _ in range(4):
        node = draw(q, t.node_count)
        if draw(q, 2) == 0:
            parents = t.parent_first[task + 1] - t.parent_first[task]
            children = t.child_first[task + 1] - t.child_first[task]
            if parents + children > 0:
                pick = draw(q, parents + children)
                if pick < parents:
                    node = q.nodes[t.parent[t.parent_first[task] + pick]]
                else:
                    node = q.nodes[t.child[t.child_first[task] + pick - parents]]
        if node != q.nodes[task] and execution_s(t, task, node) < UNREACHABLE_S:
            return node
    return q.nodes[task]


@kernel
def free_place(t: Tables, q: Search, task: int) -> int:
    """Return a random place in the order for a task, after its parents and before its children."""
    low = 0
    for edge in range(t.parent_first[task], t.parent_first[task + 1]):
        low = max(low, q.place[t.parent[edge]] + 1)
    high = t.task_count - 1
    for edge in range(t.child_first[task], t.child_first[task + 1]):
        high = min(high, q.place[t.child[edge]] - 1)
    return low + draw(q, high - low + 1)


@kernel
def shift(q: Search, task: int, target: int) -> None:
    """Move a task to another place in the order; those between close up."""
    at = q.place[task]
    step = 1 if target > at else -1
    while at != target:
        other = q.order[at + step]
        q.order[at] = other
        q.place[other] = at
        at += step
    q.order[at] = task
    q.place[task] = at
