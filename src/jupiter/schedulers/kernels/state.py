"""A schedule while it is being built: when each node is free, which tasks have a place.

Links are idle whenever they are needed. A node runs one execution on each of its lanes (cores);
an execution of 0 s needs no lane. The free time of a lane is kept as a row of gaps in order, the
last of which never ends.
"""

from __future__ import annotations

from typing import NamedTuple

from jupiter.kit.compiled import kernel
from jupiter.schedulers.kernels.columns import Maker
from jupiter.schedulers.kernels.orders import execution_row
from jupiter.schedulers.kernels.tables import UNREACHABLE_S, Flags, Floats, Ints, Rows, Tables

GAP_ROUNDING = 1 - 1e-9
"""Gaps that rounding alone makes shorter than the shortest task are kept."""


class State(NamedTuple):
    """Places of tasks and gaps of lanes; columns like those of `Tables`.

    Attributes:
        node: Of every task; -1 where it has no place.
        start_s: Of every task that has a place.
        finish_s: As above.
        decided: Tasks in the order in which they got their places.
        counts: How many are decided, and how many entries of `undo` are in use.
        ready_s: Scratch: when all inputs of a task could be on each node.
        begin_s: Scratch: when a task could start on each node.
        end_s: Scratch: when it would finish.
        seconds: Scratch: execution times of the task on each node.
        allowed: Scratch of `domains`: 1 for nodes that are allowed.
        tail_s: From when on a lane of each node is free for ever.
        gap_start_s, gap_end_s: Of the gaps of each lane. Shape: (lanes, tasks + 2).
        gap_count: Gaps of every lane.
        used_bytes: Memory taken on every node.
        used_places: Tasks on every node.
        left: 1 where a task may still take a node; empty unless links are sparse.
        undo: Pairs of task and node taken out of `left`, to put back; as above.
        queue: Scratch of `domains`: a ring of tasks, then a mark for every task in it.
        stuck: The task that has no node left and the neighbour that took the last, or -1 twice.
    """

    node: Ints
    start_s: Floats
    finish_s: Floats
    decided: Ints
    counts: Ints
    ready_s: Floats
    begin_s: Floats
    end_s: Floats
    seconds: Floats
    allowed: Floats
    tail_s: Floats
    gap_start_s: Rows
    gap_end_s: Rows
    gap_count: Ints
    used_bytes: Floats
    used_places: Ints
    left: Flags
    undo: Flags
    queue: Ints
    stuck: Ints


def new_state(t: Tables, maker: Maker) -> State:
    """Return columns of the right lengths; `reset` makes them a state."""
    tasks, nodes, lanes = t.task_count, t.node_count, int(t.lane_first[-1])

    def ints(count: int) -> Ints:
        return maker.zeros(count)

    def floats(count: int) -> Floats:
        return maker.float_zeros(count)

    pairs = tasks * nodes if t.is_sparse else 0
    return State(
        node=ints(tasks),
        start_s=floats(tasks),
        finish_s=floats(tasks),
        decided=ints(tasks),
        counts=ints(2),
        ready_s=floats(nodes),
        begin_s=floats(nodes),
        end_s=floats(nodes),
        seconds=floats(nodes),
        allowed=floats(nodes),
        tail_s=floats(nodes),
        gap_start_s=maker.space(lanes, tasks + 2),
        gap_end_s=maker.space(lanes, tasks + 2),
        gap_count=ints(lanes),
        used_bytes=floats(nodes),
        used_places=ints(nodes),
        left=maker.flags([[1] * nodes] * tasks if t.is_sparse else [], nodes),
        undo=maker.flags([[0, 0]] * pairs, 2),
        queue=ints(tasks * 2 + 1 if t.is_sparse else 0),
        stuck=ints(2),
    )


@kernel
def reset(t: Tables, s: State) -> None:
    """Take all places back, then put the tasks there that have begun or that are pinned.

    Pinned tasks get no time yet, but take their memory and their place from the start, so that
    others leave room for them.
    """
    for task in range(t.task_count):
        s.node[task] = -1
    for node in range(t.node_count):
        s.tail_s[node] = 0.0
        s.used_bytes[node] = 0.0
        s.used_places[node] = 0
    for lane in range(len(s.gap_count)):
        s.gap_count[lane] = 1
        s.gap_start_s[lane][0] = 0.0
        s.gap_end_s[lane][0] = UNREACHABLE_S
    s.counts[0] = 0
    s.stuck[0] = -1
    s.stuck[1] = -1
    if t.is_limited:
        for task in range(t.task_count):
            if t.pin[task] >= 0:
                take_room(t, s, task, t.pin[task])
    if len(t.begun_s) > 0:
        for k in range(t.task_count):
            task = t.order[k]
            if t.begun_s[task][1] >= 0:  # not NaN
                put(t, s, task, t.pin[task], t.begun_s[task][0], t.begun_s[task][1])


@kernel
def take_room(t: Tables, s: State, task: int, node: int) -> None:
    """Count the memory and the place of a task on a node."""
    s.used_bytes[node] += t.memory_bytes[task]
    s.used_places[node] += 1


@kernel
def has_room(t: Tables, s: State, task: int, node: int) -> bool:
    """Return whether limits let a task go to a node; pinned tasks have their room already."""
    if t.pin[task] >= 0:
        return s.used_bytes[node] <= t.room_bytes[node] and s.used_places[node] <= t.places[node]
    if s.used_places[node] + 1 > t.places[node]:
        return False
    return s.used_bytes[node] + t.memory_bytes[task] <= t.room_bytes[node]


@kernel
def ready_row(t: Tables, s: State, task: int) -> None:
    """Fill `ready_s`: when all inputs of a task could be on each node; infinite where never."""
    ready_s = s.ready_s
    nodes = t.node_count
    for node in range(nodes):
        ready_s[node] = t.release_s
    for edge in range(t.parent_first[task], t.parent_first[task + 1]):
        source = s.node[t.parent[edge]]
        done_s = s.finish_s[t.parent[edge]]
        if t.parent_matrix[edge] >= 0:
            transfer_s = t.matrices[t.parent_matrix[edge]][source]
            for node in range(nodes):
                arrive_s = done_s + transfer_s[node]
                ready_s[node] = arrive_s if arrive_s > ready_s[node] else ready_s[node]
            continue
        size = t.parent_bytes[edge]
        latency_s = t.latency_s[source]
        rate = t.rate[source]
        for node in range(nodes):
            arrive_s = done_s + (latency_s[node] + size * rate[node])
            ready_s[node] = arrive_s if arrive_s > ready_s[node] else ready_s[node]


@kernel
def transfer_s(t: Tables, edge: int, source: int, target: int) -> float:
    """Return the seconds of an arriving edge between two nodes."""
    if t.parent_matrix[edge] >= 0:
        return t.matrices[t.parent_matrix[edge]][source][target]
    return t.latency_s[source][target] + t.parent_bytes[edge] * t.rate[source][target]


@kernel
def ready_at(t: Tables, s: State, task: int, node: int) -> float:
    """Return when all inputs of a task could be on one node."""
    ready_s = t.release_s
    for edge in range(t.parent_first[task], t.parent_first[task + 1]):
        parent = t.parent[edge]
        arrive_s = s.finish_s[parent] + transfer_s(t, edge, s.node[parent], node)
        ready_s = max(ready_s, arrive_s)
    return ready_s


@kernel
def lane_start_s(s: State, lane: int, ready_s: float, seconds: float, limit_s: float) -> float:
    """Return the earliest start of an execution on a lane, in a gap or after all others.

    Where its finish would be after `limit_s`, any start with such a finish is returned.
    """
    starts_s = s.gap_start_s[lane]
    ends_s = s.gap_end_s[lane]
    enough_s = ready_s + seconds
    gap = 0
    high = s.gap_count[lane] - 1
    while gap < high:
        middle = (gap + high) // 2
        if ends_s[middle] < enough_s:
            gap = middle + 1
        else:
            high = middle
    start_s = max(ready_s, starts_s[gap])
    while start_s + seconds > ends_s[gap] and start_s + seconds <= limit_s:
        gap += 1
        start_s = max(ready_s, starts_s[gap])
    return start_s


@kernel
def start_at(
    t: Tables, s: State, node: int, ready_s: float, seconds: float, limit_s: float
) -> float:
    """Return the earliest start of an execution on a node, not before it is ready.

    Where its finish would be after `limit_s`, any start with such a finish is returned.
    """
    if seconds <= 0.0 or ready_s >= s.tail_s[node]:
        return ready_s
    found_s = UNREACHABLE_S
    for lane in range(t.lane_first[node], t.lane_first[node + 1]):
        found_s = min(found_s, lane_start_s(s, lane, ready_s, seconds, limit_s))
    return found_s


@kernel
def finish_row(t: Tables, s: State, task: int) -> None:
    """Fill `begin_s` and `end_s` for every node; infinite where the task cannot be."""
    ready_row(t, s, task)
    execution_row(t, task, s.seconds)
    for node in range(t.node_count):
        time_s = s.seconds[node]
        begin_s = s.ready_s[node]
        if begin_s < s.tail_s[node] and time_s < UNREACHABLE_S:
            begin_s = start_at(t, s, node, begin_s, time_s, UNREACHABLE_S)
        s.begin_s[node] = begin_s
        s.end_s[node] = begin_s + time_s
    if t.is_limited or t.is_sparse:
        for node in range(t.node_count):
            if not is_open(t, s, task, node):
                s.begin_s[node] = UNREACHABLE_S
                s.end_s[node] = UNREACHABLE_S


@kernel
def is_open(t: Tables, s: State, task: int, node: int) -> bool:
    """Return whether limits and links leave a node to a task."""
    if t.is_sparse and s.left[task][node] == 0:
        return False
    return not t.is_limited or has_room(t, s, task, node)


@kernel
def put(t: Tables, s: State, task: int, node: int, start_s: float, finish_s: float) -> None:
    """Give a task its place, at a time that `start_at` found."""
    s.node[task] = node
    s.start_s[task] = start_s
    s.finish_s[task] = finish_s
    s.decided[s.counts[0]] = task
    s.counts[0] += 1
    if t.is_limited and t.pin[task] < 0:
        take_room(t, s, task, node)
    if finish_s > start_s:
        occupy(t, s, node, start_s, finish_s)


@kernel
def occupy(t: Tables, s: State, node: int, start_s: float, finish_s: float) -> None:
    """Take a lane that is free for all of an interval, the one that leaves the least before it.

    Where none is (only tasks that have begun can ask for that), nothing is taken.
    """
    best_lane = -1
    best_gap = -1
    for lane in range(t.lane_first[node], t.lane_first[node + 1]):
        starts_s = s.gap_start_s[lane]
        gap = 0
        high = s.gap_count[lane]
        while gap < high:
            middle = (gap + high) // 2
            if starts_s[middle] <= start_s:
                gap = middle + 1
            else:
                high = middle
        gap -= 1
        if (
            gap >= 0
            and finish_s <= s.gap_end_s[lane][gap]
            and (best_lane < 0 or starts_s[gap] > s.gap_start_s[best_lane][best_gap])
        ):
            best_lane, best_gap = lane, gap
    if best_lane < 0:
        return
    cut(s, best_lane, best_gap, start_s, finish_s, t.shortest_s * GAP_ROUNDING)
    tail_s = UNREACHABLE_S
    for lane in range(t.lane_first[node], t.lane_first[node + 1]):
        tail_s = min(tail_s, s.gap_start_s[lane][s.gap_count[lane] - 1])
    s.tail_s[node] = tail_s


@kernel
def cut(s: State, lane: int, gap: int, start_s: float, finish_s: float, least_s: float) -> None:
    """Cut an interval out of a gap; what is left and shorter than `least_s` is given up."""
    starts_s = s.gap_start_s[lane]
    ends_s = s.gap_end_s[lane]
    before_s = start_s - starts_s[gap]
    after_s = ends_s[gap] - finish_s
    keeps_before = before_s > 0.0 and before_s >= least_s
    keeps_after = after_s > 0.0 and after_s >= least_s
    count = s.gap_count[lane]
    if keeps_before and keeps_after:
        for k in range(count, gap + 1, -1):
            starts_s[k] = starts_s[k - 1]
            ends_s[k] = ends_s[k - 1]
        starts_s[gap + 1] = finish_s
        ends_s[gap + 1] = ends_s[gap]
        ends_s[gap] = start_s
        s.gap_count[lane] = count + 1
    elif keeps_before:
        ends_s[gap] = start_s
    elif keeps_after:
        starts_s[gap] = finish_s
    else:
        # The last gap has no end, so it is never given up.
        for k in range(gap, count - 1):
            starts_s[k] = starts_s[k + 1]
            ends_s[k] = ends_s[k + 1]
        s.gap_count[lane] = count - 1
