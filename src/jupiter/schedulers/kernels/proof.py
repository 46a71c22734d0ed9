"""A kernel that tries out every schedule of a tiny problem that could still be the shortest.

Tasks are placed by rising start, each on the lane of its node that is free first. Some shortest
schedule is made that way: moving starts forward in time never makes a schedule longer. A branch is
left when even the best continuation could not beat the shortest schedule known.
"""

from __future__ import annotations

from typing import NamedTuple

from jupiter.kit.compiled import kernel
from jupiter.schedulers.kernels.columns import Maker
from jupiter.schedulers.kernels.orders import execution_s
from jupiter.schedulers.kernels.state import transfer_s
from jupiter.schedulers.kernels.tables import UNREACHABLE_S, Floats, Ints, Rows, Tables

TASKS_MAX = 16
NODES_MAX = 8
LANES_MAX = 16
STEPS_MAX = 20_000
"""Of a search without a clock."""
_ROUNDING = 1 - 1e-12


class Branches(NamedTuple):
    """Where the search is, and what it has found.

    Attributes:
        node: Of every task; -1 where it has no place.
        start_s, finish_s: Of every task that has a place.
        waiting: Parents without a place.
        free_s: From when on each lane is free.
        sequence: Tasks in the order in which they were placed.
        lane: Lane of the task at each depth.
        before_s: When that lane was free before.
        next: The next pair of task and node to try at each depth.
        depth: How many are placed (one entry).
        tail_s: Least time from the start of a task on a node to the end. Shape: (tasks, nodes).
        least_s: Least execution time of every task.
        done_s: Scratch: earliest finish of the unplaced. Shape: (tasks, nodes).
        best_s: Makespan to beat (one entry).
        best_order, best_nodes: The best schedule found here.
        found: Whether there is one (one entry).
        used_bytes: Memory taken on every node.
        used_places: Tasks on every node.
    """

    node: Ints
    start_s: Floats
    finish_s: Floats
    waiting: Ints
    free_s: Floats
    sequence: Ints
    lane: Ints
    before_s: Floats
    next: Ints
    depth: Ints
    tail_s: Rows
    least_s: Floats
    done_s: Rows
    best_s: Floats
    best_order: Ints
    best_nodes: Ints
    found: Ints
    used_bytes: Floats
    used_places: Ints


def is_tiny(t: Tables) -> bool:
    """Return whether trying everything may come to an end."""
    return (
        t.task_count <= TASKS_MAX
        and t.node_count <= NODES_MAX
        and t.lane_first[-1] <= LANES_MAX
        and len(t.begun_s) == 0
    )


def new_branches(t: Tables, maker: Maker, best_s: float) -> Branches:
    """Return an empty search for a schedule that is shorter than a known one."""
    count, width = t.task_count, t.node_count
    return Branches(
        node=maker.ints([-1] * count, count),
        start_s=maker.float_zeros(count),
        finish_s=maker.float_zeros(count),
        waiting=maker.zeros(count),
        free_s=maker.floats([t.release_s] * int(t.lane_first[-1]), int(t.lane_first[-1])),
        sequence=maker.zeros(count),
        lane=maker.zeros(count),
        before_s=maker.float_zeros(count),
        next=maker.zeros(count + 1),
        depth=maker.zeros(1),
        tail_s=maker.rows([[0.0] * width] * count, width),
        least_s=maker.float_zeros(count),
        done_s=maker.rows([[0.0] * width] * count, width),
        best_s=maker.floats([best_s], 1),
        best_order=maker.zeros(count),
        best_nodes=maker.zeros(count),
        found=maker.zeros(1),
        used_bytes=maker.float_zeros(width),
        used_places=maker.zeros(width),
    )


@kernel
def way_s(t: Tables, edge: int, source: int, target: int) -> float:
    """Return the seconds of a leaving edge between two nodes."""
    if t.child_matrix[edge] >= 0:
        return t.matrices[t.child_matrix[edge]][source][target]
    return t.latency_s[source][target] + t.child_bytes[edge] * t.rate[source][target]


@kernel
def prepare(t: Tables, b: Branches) -> None:
    """Fill in what does not change during the search."""
    for k in range(t.task_count - 1, -1, -1):
        task = t.order[k]
        b.waiting[task] = t.parent_first[task + 1] - t.parent_first[task]
        b.least_s[task] = UNREACHABLE_S
        for node in range(t.node_count):
            seconds = execution_s(t, task, node)
            b.least_s[task] = min(b.least_s[task], seconds)
            tail_s = 0.0
            for edge in range(t.child_first[task], t.child_first[task + 1]):
                after_s = UNREACHABLE_S
                for other in range(t.node_count):
                    after_s = min(
                        after_s, way_s(t, edge, node, other) + b.tail_s[t.child[edge]][other]
                    )
                tail_s = max(tail_s, after_s)
            b.tail_s[task][node] = seconds + tail_s


@kernel
def search(t: Tables, b: Branches, steps: int) -> bool:
    """Try some more pairs of task and node; return whether all have been tried."""
    pairs = t.task_count * t.node_count
    for _ in range(steps):
        depth = b.depth[0]
        pair = b.next[depth]
        if pair >= pairs:
            if depth == 0:
                return True
            take_back(t, b)
            continue
        b.next[depth] = pair + 1
        task, node = pair // t.node_count, pair % t.node_count
        if b.node[task] >= 0 or b.waiting[task] > 0:
            b.next[depth] = (task + 1) * t.node_count
            continue
        if not try_pair(t, b, task, node):
            continue
        if b.depth[0] == t.task_count:
            keep(t, b)
            take_back(t, b)
        elif is_hopeless(t, b):
            take_back(t, b)
        else:
            b.next[b.depth[0]] = 0
    return False


@kernel
def try_pair(t: Tables, b: Branches, task: int, node: int) -> bool:
    """Place a ready task next on a node, unless that cannot lead to a shorter schedule."""
    seconds = execution_s(t, task, node)
    if seconds == UNREACHABLE_S or not fits(t, b, task, node):
        return False
    ready_s = t.release_s
    for edge in range(t.parent_first[task], t.parent_first[task + 1]):
        parent = t.parent[edge]
        ready_s = max(ready_s, b.finish_s[parent] + transfer_s(t, edge, b.node[parent], node))
    lane = t.lane_first[node]
    for other in range(lane + 1, t.lane_first[node + 1]):
        if b.free_s[other] < b.free_s[lane]:
            lane = other
    start_s = ready_s
    if seconds > 0.0:
        start_s = max(ready_s, b.free_s[lane])
    depth = b.depth[0]
    if depth > 0:
        last = b.sequence[depth - 1]
        if start_s < b.start_s[last]:
            return False
        # Of two that start together and do not depend on each other one order is enough.
        if start_s == b.start_s[last] and task < last and b.finish_s[last] > start_s:
            return False
    if start_s + b.tail_s[task][node] >= b.best_s[0] * _ROUNDING:
        return False
    b.node[task] = node
    b.start_s[task] = start_s
    b.finish_s[task] = start_s + seconds
    b.sequence[depth] = task
    b.lane[depth] = lane
    b.before_s[depth] = b.free_s[lane]
    if seconds > 0.0:
        b.free_s[lane] = start_s + seconds
    b.used_bytes[node] += t.memory_bytes[task]
    b.used_places[node] += 1
    for edge in range(t.child_first[task], t.child_first[task + 1]):
        b.waiting[t.child[edge]] -= 1
    b.depth[0] = depth + 1
    return True


@kernel
def fits(t: Tables, b: Branches, task: int, node: int) -> bool:
    """Return whether memory and number of tasks allow one more task on a node."""
    if b.used_places[node] + 1 > t.places[node]:
        return False
    return b.used_bytes[node] + t.memory_bytes[task] <= t.room_bytes[node]


@kernel
def take_back(t: Tables, b: Branches) -> None:
    """Take the task that was placed last away."""
    depth = b.depth[0] - 1
    b.depth[0] = depth
    task = b.sequence[depth]
    node = b.node[task]
    b.free_s[b.lane[depth]] = b.before_s[depth]
    b.node[task] = -1
    b.used_bytes[node] -= t.memory_bytes[task]
    b.used_places[node] -= 1
    for edge in range(t.child_first[task], t.child_first[task + 1]):
        b.waiting[t.child[edge]] += 1


@kernel
def keep(t: Tables, b: Branches) -> None:
    """Remember a complete schedule, if it is the shortest."""
    last_s = 0.0
    for task in range(t.task_count):
        last_s = max(last_s, b.finish_s[task])
    value = last_s - b.start_s[b.sequence[0]]
    if value >= b.best_s[0] * _ROUNDING:
        return
    b.best_s[0] = value
    b.found[0] = 1
    for k in range(t.task_count):
        b.best_order[k] = b.sequence[k]
        b.best_nodes[k] = b.node[k]


@kernel
def is_hopeless(t: Tables, b: Branches) -> bool:
    """Return whether no continuation can be shorter than the best schedule.

    Every unplaced task is given each node as early as the placed ones, its parents at their best
    and the last start allow; then the rest of the way at its best. Besides, the lanes must have
    room for all that is unplaced at its fastest.
    """
    limit_s = b.best_s[0] * _ROUNDING
    now_s = b.start_s[b.sequence[b.depth[0] - 1]]
    work_s = 0.0
    for lane in range(len(b.free_s)):
        work_s += max(b.free_s[lane], now_s)
    for k in range(t.task_count):
        task = t.order[k]
        if b.node[task] >= 0:
            continue
        work_s += b.least_s[task]
        least_s = UNREACHABLE_S
        for node in range(t.node_count):
            seconds = execution_s(t, task, node)
            b.done_s[task][node] = UNREACHABLE_S
            if seconds == UNREACHABLE_S:
                continue
            start_s = now_s
            if seconds > 0.0:
                free_s = UNREACHABLE_S
                for lane in range(t.lane_first[node], t.lane_first[node + 1]):
                    free_s = min(free_s, b.free_s[lane])
                start_s = max(start_s, free_s)
            for edge in range(t.parent_first[task], t.parent_first[task + 1]):
                parent = t.parent[edge]
                if b.node[parent] >= 0:
                    arrive_s = b.finish_s[parent] + transfer_s(t, edge, b.node[parent], node)
                else:
                    arrive_s = UNREACHABLE_S
                    for other in range(t.node_count):
                        arrive_s = min(
                            arrive_s, b.done_s[parent][other] + transfer_s(t, edge, other, node)
                        )
                start_s = max(start_s, arrive_s)
            b.done_s[task][node] = start_s + seconds
            least_s = min(least_s, start_s + b.tail_s[task][node])
        if least_s >= limit_s:
            return True
    return work_s >= limit_s * len(b.free_s)
