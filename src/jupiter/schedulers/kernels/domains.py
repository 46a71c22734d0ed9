"""Kernels that keep a node for each task while others get theirs, where links are sparse.

From the start a node is left out when no node of some child (or parent) can be reached from it,
and so on through the graph, backwards and forwards; the same follows each assignment. So a task is
not put where its outputs would be stuck two steps later. Finding a mapping over few links is
NP-hard in general; this looks at edges, not at whole graphs, so a dead end is possible.

Source: arc consistency, AC-3; Mackworth 1977, doi:10.1016/0004-3702(77)90007-8.
"""

from __future__ import annotations

from jupiter.kit.compiled import kernel
from jupiter.schedulers.kernels.orders import execution_row
from jupiter.schedulers.kernels.state import State
from jupiter.schedulers.kernels.tables import UNREACHABLE_S, Tables


@kernel
def narrow(t: Tables, s: State) -> bool:
    """Leave to every task the nodes that can run it and from which the others can be reached.

    Returns:
        Whether every task has a node; if not, `stuck` says which has none.
    """
    if not t.is_sparse:
        return True
    for task in range(t.task_count):
        execution_row(t, task, s.seconds)
        for node in range(t.node_count):
            s.left[task][node] = 1 if s.seconds[node] < UNREACHABLE_S else 0
        s.queue[t.task_count + task] = 0
    s.counts[1] = 0
    size = 0
    for k in range(t.task_count - 1, -1, -1):
        s.queue[size] = t.order[k]
        s.queue[t.task_count + t.order[k]] = 1
        size += 1
    return spread(t, s, size)


@kernel
def settle(t: Tables, s: State, task: int, node: int) -> bool:
    """Leave one node to a task, if every other task keeps one.

    Returns:
        Whether it was done; if not, nothing has changed.
    """
    if not t.is_sparse:
        return True
    s.counts[1] = 0
    for other in range(t.node_count):
        if other != node and s.left[task][other] == 1:
            take_out(s, task, other)
    s.queue[0] = task
    s.queue[t.task_count + task] = 1
    if spread(t, s, 1):
        return True
    for k in range(s.counts[1]):
        s.left[s.undo[k][0]][s.undo[k][1]] = 1
    return False


@kernel
def take_out(s: State, task: int, node: int) -> None:
    """Take a node from a task, and remember it."""
    s.left[task][node] = 0
    s.undo[s.counts[1]][0] = task
    s.undo[s.counts[1]][1] = node
    s.counts[1] += 1


@kernel
def spread(t: Tables, s: State, size: int) -> bool:
    """Leave out what the first entries of the queue rule out, until nothing changes."""
    head = 0
    is_alive = True
    while size > 0:
        task = s.queue[head]
        head = (head + 1) % t.task_count
        size -= 1
        s.queue[t.task_count + task] = 0
        if not is_alive:
            continue  # only empties the queue
        for way in range(2):
            allow(t, s, task, way)
            first = t.child_first[task] if way == 0 else t.parent_first[task]
            last = t.child_first[task + 1] if way == 0 else t.parent_first[task + 1]
            for edge in range(first, last):
                other = t.child[edge] if way == 0 else t.parent[edge]
                if not is_alive or not shrink(t, s, other):
                    continue
                if not has_any(t, s, other):
                    s.stuck[0] = other
                    s.stuck[1] = task
                    is_alive = False
                elif s.queue[t.task_count + other] == 0:
                    s.queue[t.task_count + other] = 1
                    s.queue[(head + size) % t.task_count] = other
                    size += 1
    return is_alive


@kernel
def allow(t: Tables, s: State, task: int, way: int) -> None:
    """Fill `allowed` with 1 for nodes that a neighbour may be on: children first, then parents."""
    for node in range(t.node_count):
        s.allowed[node] = 0.0
    for mine in range(t.node_count):
        if s.left[task][mine] == 0:
            continue
        for node in range(t.node_count):
            if (way == 0 and t.joined[mine][node] == 1) or (way == 1 and t.joined[node][mine] == 1):
                s.allowed[node] = 1.0


@kernel
def shrink(t: Tables, s: State, task: int) -> bool:
    """Take the nodes from a task that are not allowed; return whether there were any."""
    changed = False
    for node in range(t.node_count):
        if s.left[task][node] == 1 and s.allowed[node] == 0.0:
            take_out(s, task, node)
            changed = True
    return changed


@kernel
def has_any(t: Tables, s: State, task: int) -> bool:
    """Return whether a task has a node left."""
    found = False
    for node in range(t.node_count):
        found = found or s.left[task][node] == 1
    return found
