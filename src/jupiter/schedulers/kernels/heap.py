"""A heap of tasks as kernels can use it: a list and the number of its entries in use."""

from __future__ import annotations

from jupiter.kit.compiled import kernel
from jupiter.schedulers.kernels.tables import Floats, Ints


@kernel
def is_before(first: int, second: int, priority: Floats, place: Ints) -> bool:
    """Return whether a task comes before another: higher priority, then lower place."""
    if priority[first] != priority[second]:
        return priority[first] > priority[second]
    return place[first] < place[second]


@kernel
def push(heap: Ints, size: int, task: int, priority: Floats, place: Ints) -> int:
    """Put a task in; return the new size."""
    at = size
    while at > 0:
        above = (at - 1) // 2
        if not is_before(task, heap[above], priority, place):
            break
        heap[at] = heap[above]
        at = above
    heap[at] = task
    return size + 1


@kernel
def pop(heap: Ints, size: int, priority: Floats, place: Ints) -> int:
    """Take the first task out and return it; the size becomes one less."""
    first = heap[0]
    last = heap[size - 1]
    at = 0
    while True:
        below = 2 * at + 1
        if below >= size - 1:
            break
        if below + 1 < size - 1 and is_before(heap[below + 1], heap[below], priority, place):
            below += 1
        if not is_before(heap[below], last, priority, place):
            break
        heap[at] = heap[below]
        at = below
    heap[at] = last
    return first
