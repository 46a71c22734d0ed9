"""Kernels for what tasks are worth on each node, beyond their own time."""

from __future__ import annotations

from jupiter.kit.compiled import kernel
from jupiter.schedulers.kernels.by_ready import first_ready, release, remove
from jupiter.schedulers.kernels.domains import narrow, settle
from jupiter.schedulers.kernels.orders import execution_row, execution_s
from jupiter.schedulers.kernels.state import State, finish_row, put, reset
from jupiter.schedulers.kernels.tables import NOWHERE, UNREACHABLE_S, Floats, Ints, Rows, Tables


@kernel
def imaginary_levels(t: Tables, levels: Rows, row: Floats) -> None:
    """Fill in the best imaginary level of every task on every node.

    It is the longest way from the start of the task on the node to an exit, if every child could
    choose between the same node and the best other one, reached by a mean transfer.

    Source: Oh, Ha 1996, doi:10.1007/BFb0024750.
    """
    for k in range(t.task_count - 1, -1, -1):
        task = t.order[k]
        mine = levels[task]
        for node in range(t.node_count):
            mine[node] = 0.0
        for edge in range(t.child_first[task], t.child_first[task + 1]):
            after = levels[t.child[edge]]
            least_s = UNREACHABLE_S
            for node in range(t.node_count):
                least_s = min(least_s, after[node])
            least_s += t.mean_transfer_s[edge]
            for node in range(t.node_count):
                mine[node] = max(mine[node], min(least_s, after[node]))
        execution_row(t, task, row)
        for node in range(t.node_count):
            mine[node] += row[node]


@kernel
def savings(t: Tables, bonus: Rows) -> None:
    """Fill in what a node saves on a task: its mean time less that on the node."""
    for task in range(t.task_count):
        for node in range(t.node_count):
            bonus[task][node] = t.mean_execution_s[task] - execution_s(t, task, node)


@kernel
def descendants(t: Tables, bonus: Rows, row: Floats) -> None:
    """Add how well the child that gets the most data does from a node, to `savings`.

    That is the child's mean time less the least of its time on the node and its time elsewhere
    with a transfer.

    Source: Sih, Lee 1993, doi:10.1109/71.207593, "descendant consideration".
    """
    for task in range(t.task_count):
        heaviest = -1
        for edge in range(t.child_first[task], t.child_first[task + 1]):
            if heaviest < 0 or t.mean_transfer_s[edge] > t.mean_transfer_s[heaviest]:
                heaviest = edge
        if heaviest < 0:
            continue
        execution_row(t, t.child[heaviest], row)
        least_s = UNREACHABLE_S
        for node in range(t.node_count):
            least_s = min(least_s, row[node])
        mean_s = t.mean_execution_s[t.child[heaviest]]
        for node in range(t.node_count):
            elsewhere_s = least_s + t.mean_transfer_s[heaviest]
            bonus[task][node] += mean_s - min(row[node], elsewhere_s)


@kernel
def place_by_imaginary_makespan(
    t: Tables, s: State, levels: Rows, tasks: Ints, waiting: Ints, row: Floats, sorted_s: Floats
) -> bool:
    """Place all tasks by the rules of BIL; see `bil`.

    Args:
        t: The problem.
        s: Filled.
        levels: As `imaginary_levels` gives them.
        tasks: Scratch, an entry a task: the ready ones first.
        waiting: Scratch, an entry a task.
        row: Scratch, an entry a node.
        sorted_s: As above.
    """
    reset(t, s)
    if not narrow(t, s):
        return False
    size = first_ready(t, s, tasks, waiting)
    while size > 0:
        at = 0
        highest = -UNREACHABLE_S
        for k in range(size):
            imaginary_makespans(t, s, levels, tasks[k], row)
            priority = nth_least(row, sorted_s, min(size, t.node_count) - 1)
            if k == 0 or priority > highest:
                at, highest = k, priority
        task = tasks[at]
        imaginary_makespans(t, s, levels, task, row)
        node = least_imaginary(t, task, row, max(size / t.node_count - 1.0, 0.0))
        while node >= 0 and not settle(t, s, task, node):
            row[node] = UNREACHABLE_S
            node = least_imaginary(t, task, row, max(size / t.node_count - 1.0, 0.0))
        if node < 0:
            s.stuck[0], s.stuck[1] = task, -1
            return False
        put(t, s, task, node, s.begin_s[node], s.end_s[node])
        size = remove(tasks, size, at)
        size = release(t, s, task, tasks, size, waiting)
    return True


@kernel
def least_imaginary(t: Tables, task: int, row: Floats, crowding: float) -> int:
    """Return the node with the least imaginary makespan, execution times counting more in crowds.

    -1 where every one is infinite.
    """
    node = NOWHERE
    least_s = UNREACHABLE_S
    for other in range(t.node_count):
        if row[other] < UNREACHABLE_S:
            value = row[other] + execution_s(t, task, other) * crowding
            if value < least_s:
                node, least_s = other, value
    return node


@kernel
def imaginary_makespans(t: Tables, s: State, levels: Rows, task: int, row: Floats) -> None:
    """Fill in start plus level of a ready task on every node; infinite where it cannot be."""
    finish_row(t, s, task)
    for node in range(t.node_count):
        if s.end_s[node] == UNREACHABLE_S:
            row[node] = UNREACHABLE_S
        else:
            row[node] = s.begin_s[node] + levels[task][node]


@kernel
def nth_least(row: Floats, sorted_s: Floats, wanted: int) -> float:
    """Return the n-th least value, from 0; `sorted_s` is scratch."""
    for k in range(len(row)):
        value = row[k]
        at = k
        while at > 0 and sorted_s[at - 1] > value:
            sorted_s[at] = sorted_s[at - 1]
            at -= 1
        sorted_s[at] = value
    return sorted_s[wanted]
