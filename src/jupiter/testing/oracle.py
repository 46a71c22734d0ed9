"""One verdict for every stream, simulated or real: what was promised, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from jupiter.model.ids import TaskId
from jupiter.model.items import Outcome
from jupiter.testing.serial import Expected

Lineage = tuple[tuple[tuple[str, object], int], ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """One visible result.

    Attributes:
        sink: The task that made it.
        origins: Ingress numbers of the items that it came from.
        digest: Of its content.
        lineage: Each (task, items) that went into it, with a number that tells this execution from
            all others of the same; empty where nobody recorded it.
        is_mixed: The recorder saw two executions of one task and item in it.
    """

    sink: TaskId
    origins: tuple[int, ...]
    digest: str
    lineage: Lineage = ()
    is_mixed: bool = False


@dataclass(frozen=True)
class History:
    """What was seen of one stream.

    Attributes:
        accepted: Numbers of the items that the stream accepted.
        endings: What became visible together, in this order: (number, outcome) of each item.
        effects: All results.
        unreadable: Numbers of items whose accepted input was damaged and that ended as failed: any
            result of theirs may be there, or not.
        is_ordered: Ends were promised in the order of acceptance; a batch counts as its first item.
        is_late: Not everything had ended by the deadline.
        leaks: What was left behind, in words.
        planned: Faults by kind that were to be injected.
        injected: Those that were.
    """

    accepted: Sequence[int]
    endings: Sequence[Sequence[tuple[int, Outcome]]]
    effects: Sequence[Effect]
    unreadable: Sequence[int] = ()
    is_ordered: bool = False
    is_late: bool = False
    leaks: Sequence[str] = ()
    planned: Mapping[str, int] = field(default_factory=dict)
    injected: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """Everything that was not as promised, in words; all empty is good.

    Attributes:
        lost: Accepted items, or results of them, that never appeared.
        duplicated: Ends or results that appeared twice.
        ghost: Results of items that were never accepted.
        wrong: Results or ends other than those of a serial run.
        mixed: Results that more than one execution of a task and item went into.
        misordered: Ends that overtook an earlier item.
        late: What had not ended in time.
        leaks: What was left behind.
        is_void: None of the planned faults happened: this run proves nothing.
    """

    lost: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    ghost: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    mixed: tuple[str, ...] = ()
    misordered: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    is_void: bool = False

    @property
    def faults(self) -> dict[str, tuple[str, ...]]:
        """The kinds of which there are any."""
        found = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "is_void"}
        return {name: what for name, what in found.items() if what}

    @property
    def is_good(self) -> bool:
        """Nothing is wrong."""
        return not self.faults


def judge(history: History, expected: Expected, undamaged: Expected | None = None) -> Verdict:
    """Compare what was seen with what a serial run gives.

    Args:
        history: What was seen.
        expected: Of a serial run in which the unreadable items fail.
        undamaged: Of one in which all inputs can be read, where that makes a difference.
    """
    accepted = set(history.accepted)
    endings = [end for group in history.endings for end in group]
    ends = Counter(seq for seq, _ in endings)
    found = Counter((each.sink, each.origins, each.digest) for each in history.effects)
    wanted = _wanted(expected, accepted)
    excused = set(history.unreadable)
    allowed = _wanted(undamaged or expected, accepted & excused)
    wanted = Counter({key: n for key, n in wanted.items() if not excused.issuperset(key[1])})
    found -= allowed
    places = {(sink, origins) for sink, origins, _ in wanted}
    surplus = found - wanted
    missing = wanted - found
    wrong = [key for key in surplus if key not in wanted and (key[0], key[1]) in places]
    replaced = {(sink, origins) for sink, origins, _ in wrong}
    strange = [key for key in surplus if (key[0], key[1]) not in places]
    outcomes = [
        f"item {seq} ended {outcome}, not {expected.outcomes[seq]}"
        for seq, outcome in endings
        if seq in accepted and outcome != expected.outcomes[seq]
    ]
    unended = [f"item {seq}" for seq in sorted(accepted) if not ends[seq]]
    return Verdict(
        lost=tuple(unended if not history.is_late else ())
        + tuple(_words(k) for k in missing if (k[0], k[1]) not in replaced and _ended(k, ends)),
        duplicated=tuple(f"item {seq} ended {n} times" for seq, n in ends.items() if n > 1)
        + tuple(_words(key) for key in surplus if key in wanted),
        ghost=tuple(_words(key) for key in strange)
        + tuple(f"item {seq} was never accepted" for seq in ends if seq not in accepted),
        wrong=tuple(outcomes) + tuple(_words(key) for key in wrong),
        mixed=tuple(_mixed(history.effects)),
        misordered=tuple(_misordered(history)) if history.is_ordered else (),
        late=tuple(unended or ["the stream"]) if history.is_late else (),
        leaks=tuple(history.leaks),
        is_void=bool(history.planned) and not any(history.injected.values()),
    )


def _wanted(expected: Expected, among: set[int]) -> Counter[tuple[TaskId, tuple[int, ...], str]]:
    return Counter(
        (sink, origins, digest)
        for sink, origins, digests in expected.effects
        if among.issuperset(origins)
        for digest in digests
    )


def _ended(key: tuple[TaskId, tuple[int, ...], str], ends: Counter[int]) -> bool:
    return all(ends[origin] for origin in key[1])


def _words(key: tuple[TaskId, tuple[int, ...], str]) -> str:
    sink, origins, digest = key
    return f"result of {sink} for {','.join(map(str, origins))}: {digest}"


def _mixed(effects: Sequence[Effect]) -> list[str]:
    """Return where two executions of one task and item were used, in one result or in two."""
    found: dict[tuple[str, object], int] = {}
    words = []
    for effect in effects:
        if effect.is_mixed:
            words.append(f"result of {effect.sink} for {effect.origins} mixes two executions")
        for key, number in effect.lineage:
            if found.setdefault(key, number) != number:
                words.append(f"two executions of {key[0]} for {key[1]} were used")
    return words


def _misordered(history: History) -> list[str]:
    words = []
    last = -1
    for group in history.endings:
        first = min(seq for seq, _ in group)
        if first < last:
            words.append(f"item {first} ended after item {last}")
        last = max(last, first)
    return words
