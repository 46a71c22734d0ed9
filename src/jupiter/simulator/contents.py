"""What files hold in virtual time: enough to tell whose work went into them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from jupiter.model.ids import ItemId, TaskId

Key = tuple[TaskId, ItemId]


@dataclass(frozen=True, slots=True)
class Content:
    """One file.

    Attributes:
        digest: Of what a serial run would put there.
        lineage: Every execution that it came from, and which one it was of all that were made of
            the same task and item.
        is_mixed: Two different executions of one task and item went into it.
    """

    digest: str
    lineage: tuple[tuple[Key, int], ...] = ()
    is_mixed: bool = False


def digest(*words: object) -> str:
    """Return a short digest of words."""
    return blake2b("\0".join(map(str, words)).encode(), digest_size=8).hexdigest()


def made(task: TaskId, inputs: Sequence[Sequence[str]], k: int) -> str:
    """Return the digest of the k-th output of a task.

    Args:
        task: Who makes it.
        inputs: Digests of the files of each parent.
        k: From 0.
    """
    return digest(task, ";".join(",".join(each) for each in inputs), k)


def merged(contents: Iterable[Content]) -> tuple[dict[Key, int], bool]:
    """Return the lineage of several files together, and whether two of them disagree."""
    found: dict[Key, int] = {}
    is_mixed = False
    for content in contents:
        is_mixed = is_mixed or content.is_mixed
        for key, number in content.lineage:
            if found.setdefault(key, number) != number:
                is_mixed = True
    return found, is_mixed
