"""Kernels over the graph alone: parents from children, topological order, ranks."""

from __future__ import annotations

from jupiter.kit.compiled import kernel
from jupiter.schedulers.kernels.heap import pop, push
from jupiter.schedulers.kernels.tables import UNREACHABLE_S, Floats, Ints, Rows, Tables


@kernel
def transpose(
    child_first: Ints, child: Ints, parent_first: Ints, parent: Ints, position: Ints
) -> None:
    """Fill in the arriving edges: where each task's begin, their sources, their leaving numbers.

    All columns to fill are zero before.
    """
    count = len(child_first) - 1
    for edge in range(len(child)):
        parent_first[child[edge] + 1] += 1
    for task in range(count):
        parent_first[task + 1] += parent_first[task]
    # parent_first[task] serves as the next free place of a task and is put back afterwards.
    for task in range(count):
        for edge in range(child_first[task], child_first[task + 1]):
            target = child[edge]
            place = parent_first[target]
            parent[place] = task
            position[place] = edge
            parent_first[target] = place + 1
    for task in range(count, 0, -1):
        parent_first[task] = parent_first[task - 1]
    parent_first[0] = 0


@kernel
def topological(
    child_first: Ints, child: Ints, parent_first: Ints, order: Ints, waiting: Ints
) -> None:
    """Fill in all tasks, parents first; a task follows as soon as its last parent is listed."""
    count = len(order)
    for task in range(count):
        waiting[task] = parent_first[task + 1] - parent_first[task]
    filled = 0
    for task in range(count):
        if waiting[task] == 0:
            order[filled] = task
            filled += 1
    done = 0
    while done < filled:
        task = order[done]
        done += 1
        for edge in range(child_first[task], child_first[task + 1]):
            target = child[edge]
            waiting[target] -= 1
            if waiting[target] == 0:
                order[filled] = target
                filled += 1


@kernel
def upward(t: Tables, ranks: Floats) -> None:
    """Fill in upward ranks: mean execution, and the longest mean way to an exit."""
    for k in range(t.task_count - 1, -1, -1):
        task = t.order[k]
        tail_s = 0.0
        for edge in range(t.child_first[task], t.child_first[task + 1]):
            way_s = t.mean_transfer_s[edge] + ranks[t.child[edge]]
            if way_s > tail_s:
                tail_s = way_s
        ranks[task] = t.mean_execution_s[task] + tail_s


@kernel
def downward(t: Tables, ranks: Floats) -> None:
    """Fill in downward ranks: the longest mean way from an entry; `ranks` is zero before."""
    for k in range(t.task_count):
        task = t.order[k]
        done_s = ranks[task] + t.mean_execution_s[task]
        for edge in range(t.child_first[task], t.child_first[task + 1]):
            way_s = done_s + t.mean_transfer_s[edge]
            if way_s > ranks[t.child[edge]]:
                ranks[t.child[edge]] = way_s


@kernel
def static_levels(t: Tables, levels: Floats) -> None:
    """Fill in static levels: upward ranks without transfers."""
    for k in range(t.task_count - 1, -1, -1):
        task = t.order[k]
        tail_s = 0.0
        for edge in range(t.child_first[task], t.child_first[task + 1]):
            tail_s = max(tail_s, levels[t.child[edge]])
        levels[task] = t.mean_execution_s[task] + tail_s


@kernel
def execution_row(t: Tables, task: int, row: Floats) -> None:
    """Fill in the execution time of a task on every node."""
    if not t.is_related:
        seconds = t.seconds[task]
        for node in range(t.node_count):
            row[node] = seconds[node]
        return
    work_s = t.work_s[task]
    for node in range(t.node_count):
        row[node] = work_s / t.speed[node]
    if t.pin[task] >= 0:
        for node in range(t.node_count):
            if node != t.pin[task]:
                row[node] = UNREACHABLE_S


@kernel
def execution_s(t: Tables, task: int, node: int) -> float:
    """Return the execution time of a task on a node."""
    if not t.is_related:
        return t.seconds[task][node]
    if t.pin[task] >= 0 and t.pin[task] != node:
        return UNREACHABLE_S
    return t.work_s[task] / t.speed[node]


@kernel
def optimistic_costs(t: Tables, costs: Rows, row: Floats) -> None:
    """Fill in the optimistic cost table of PEFT: from the end of a task on a node to the exit.

    Every child is taken to run where that is best, transfers count as means.
    """
    for k in range(t.task_count - 1, -1, -1):
        task = t.order[k]
        mine = costs[task]
        for node in range(t.node_count):
            mine[node] = 0.0
        for edge in range(t.child_first[task], t.child_first[task + 1]):
            child = t.child[edge]
            after = costs[child]
            execution_row(t, child, row)
            least_s = UNREACHABLE_S
            for node in range(t.node_count):
                least_s = min(least_s, after[node] + row[node])
            least_s += t.mean_transfer_s[edge]
            for node in range(t.node_count):
                way_s = min(least_s, after[node] + row[node])
                mine[node] = max(mine[node], way_s)


@kernel
def row_means(t: Tables, costs: Rows, means: Floats, scratch: Floats) -> None:
    """Fill in the mean of every row over the nodes that can run its task."""
    for task in range(t.task_count):
        execution_row(t, task, scratch)
        total_s = 0.0
        able = 0
        for node in range(t.node_count):
            if scratch[node] < UNREACHABLE_S and costs[task][node] < UNREACHABLE_S:
                total_s += costs[task][node]
                able += 1
        means[task] = total_s / able if able else 0.0


@kernel
def by_priority(
    t: Tables, priority: Floats, place: Ints, order: Ints, waiting: Ints, heap: Ints
) -> None:
    """Fill in all tasks, parents first: of the ready ones always that of the highest priority.

    Args:
        t: The problem.
        priority: Of tasks.
        place: Of tasks in topological order; the lower one wins a tie.
        order: To fill.
        waiting: Scratch, an entry a task.
        heap: Scratch, one entry more.
    """
    size = 0
    for k in range(t.task_count):
        task = t.order[k]
        waiting[task] = t.parent_first[task + 1] - t.parent_first[task]
        if waiting[task] == 0:
            size = push(heap, size, task, priority, place)
    for filled in range(t.task_count):
        task = pop(heap, size, priority, place)
        size -= 1
        order[filled] = task
        for edge in range(t.child_first[task], t.child_first[task + 1]):
            child = t.child[edge]
            waiting[child] -= 1
            if waiting[child] == 0:
                size = push(heap, size, child, priority, place)
