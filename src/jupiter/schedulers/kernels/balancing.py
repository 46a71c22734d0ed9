"""A kernel that balances load by two candidates a step; see `flb`."""

from __future__ import annotations

from jupiter.kit.compiled import kernel
from jupiter.schedulers.kernels.by_ready import first_ready, release, remove
from jupiter.schedulers.kernels.domains import narrow, settle
from jupiter.schedulers.kernels.state import State, finish_row, put, reset, transfer_s
from jupiter.schedulers.kernels.tables import NOWHERE, UNREACHABLE_S, Floats, Ints, Tables


@kernel
def place_by_load(t: Tables, s: State, levels: Floats, tasks: Ints, waiting: Ints) -> bool:
    """Place all tasks by the rules of FLB.

    Args:
        t: The problem.
        s: Filled.
        levels: Of tasks; the higher wins a tie.
        tasks: Scratch, an entry a task: the ready ones first.
        waiting: Scratch, an entry a task.
    """
    reset(t, s)
    if not narrow(t, s):
        return False
    size = first_ready(t, s, tasks, waiting)
    while size > 0:
        at = pick_task(t, s, levels, tasks, size)
        task = tasks[at]
        node = pick_node(t, s, task)
        while node >= 0 and not settle(t, s, task, node):
            s.left[task][node] = 0
            node = pick_node(t, s, task)
        if node < 0:
            s.stuck[0], s.stuck[1] = task, -1
            return False
        put(t, s, task, node, s.begin_s[node], s.end_s[node])
        size = remove(tasks, size, at)
        size = release(t, s, task, tasks, size, waiting)
    return True


@kernel
def enabling_node(t: Tables, s: State, task: int) -> int:
    """Return the node that the last input of a task comes from, by mean transfers; or -1.

    The mean is over the nodes that the task could be on.
    """
    latest_s = -1.0
    enabling = NOWHERE
    for edge in range(t.parent_first[task], t.parent_first[task + 1]):
        parent = t.parent[edge]
        total_s = 0.0
        able = 0
        for node in range(t.node_count):
            way_s = transfer_s(t, edge, s.node[parent], node)
            if node != s.node[parent] and way_s < UNREACHABLE_S:
                total_s += way_s
                able += 1
        arrive_s = s.finish_s[parent] + (total_s / able if able else 0.0)
        if arrive_s > latest_s:
            latest_s, enabling = arrive_s, s.node[parent]
    return enabling


@kernel
def pick_task(t: Tables, s: State, levels: Floats, tasks: Ints, size: int) -> int:
    """Return the position of the task that can start first at its candidate node."""
    best = 0
    best_s = UNREACHABLE_S
    best_waits = 1
    for k in range(size):
        task = tasks[k]
        node = pick_node(t, s, task)
        if node < 0:
            return k  # it has no node, which ends everything
        start_s = s.begin_s[node]
        waits = 1 if s.ready_s[node] > s.tail_s[node] else 0
        if k == 0 or start_s < best_s:
            best, best_s, best_waits = k, start_s, waits
        elif start_s == best_s and (
            waits < best_waits or (waits == best_waits and levels[task] > levels[tasks[best]])
        ):
            best, best_waits = k, waits
    return best


@kernel
def pick_node(t: Tables, s: State, task: int) -> int:
    """Return the enabling node of a task if it must wait there for its input, else the idlest.

    `begin_s` and `end_s` hold for it: after everything else on the node, without insertion.
    """
    finish_row(t, s, task)
    for node in range(t.node_count):
        if s.end_s[node] < UNREACHABLE_S:
            s.begin_s[node] = max(s.ready_s[node], s.tail_s[node])
            s.end_s[node] = s.begin_s[node] + s.seconds[node]
    enabling = enabling_node(t, s, task)
    if (
        enabling >= 0
        and s.end_s[enabling] < UNREACHABLE_S
        and s.begin_s[enabling] > s.tail_s[enabling]
    ):
        return enabling
    idlest = NOWHERE
    for node in range(t.node_count):
        if s.end_s[node] == UNREACHABLE_S:
            continue
        if (
            idlest < 0
            or s.begin_s[node] < s.begin_s[idlest]
            or (s.begin_s[node] == s.begin_s[idlest] and s.end_s[node] < s.end_s[idlest])
        ):
            idlest = node
    return idlest
