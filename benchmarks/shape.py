"""The 14-task shape of DNAD with payloads and no work: what all systems here run.

entry (scatter) -> 3 aggregates -> 2 detectors each -> 3 joins of 2 -> 1 join of 3 -> sink. Every
task reads all of its inputs and gives out payloads of one size that begin with the item's mark, so
that a result tells which item it came from.
"""

from __future__ import annotations

BRANCHES = 3
TASKS: dict[str, tuple[str, ...]] = {
    "entry": (),
    **{f"aggregate{k}": ("entry",) for k in range(BRANCHES)},
    **{f"{kind}{k}": (f"aggregate{k}",) for kind in ("simple", "astute") for k in range(BRANCHES)},
    **{f"fusion{k}": (f"simple{k}", f"astute{k}") for k in range(BRANCHES)},
    "final": tuple(f"fusion{k}" for k in range(BRANCHES)),
}
"""The parents of every task, in topological order."""
MARK_BYTES = 16


def children_of(task: str) -> list[str]:
    """Return the tasks that a task gives its outputs to."""
    return [other for other, parents in TASKS.items() if task in parents]


def branch_of(task: str) -> int:
    """Return the node that a task is pinned to, 0 to 2."""
    return int(task[-1]) if task[-1].isdecimal() else 0


def payload(item: int, size: int) -> bytes:
    """Return the input of an item."""
    return f"{item:0{MARK_BYTES}d}".encode() + bytes(size - MARK_BYTES)


def work(inputs: list[bytes]) -> bytes:
    """Return a task's output: as large as its first input, with the mark that all must share.

    Raises:
        ValueError: Inputs of different items were mixed.
    """
    marks = {data[:MARK_BYTES] for data in inputs}
    if len(marks) != 1:
        raise ValueError(f"a join mixed items: {sorted(marks)}")
    return bytes(inputs[0])


def check(item: int, size: int, result: bytes) -> None:
    """Raise where a result is not what the item must give.

    Raises:
        ValueError: It is not.
    """
    if result != payload(item, size):
        raise ValueError(f"item {item} has a wrong result of {len(result)} bytes")
