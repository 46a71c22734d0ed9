"""Decides what is a result, what its file is called, and when an item has ended."""

from __future__ import annotations

from jupiter.kit.names import fold
from jupiter.kit.seqset import SeqSet
from jupiter.model.actions import Action, KeepResult, Resolve
from jupiter.model.events import Arrived, EdgeEnded, Event
from jupiter.model.ids import ItemId, TaskId
from jupiter.model.items import Delivery, Outcome

_WORSE: dict[Outcome, int] = {"done": 0, "filtered": 1, "failed": 2}


class _Ending:
    """What the sinks have said of one ingress item."""

    __slots__ = ("detail", "outcome", "results", "sources")

    def __init__(self) -> None:
        self.sources: set[TaskId] = set()
        self.outcome: Outcome = "done"
        self.detail = ""
        self.results: list[str] = []


class Sink:
    """The way out of the graph; every delivery takes effect once.

    Args:
        sinks: The tasks whose outputs are results; an item has ended when each of them has made
            a delivery that covers it.
    """

    def __init__(self, sinks: tuple[TaskId, ...]) -> None:
        self._sinks = sinks
        self._seen: dict[tuple[TaskId, str], SeqSet] = {}
        self._endings: dict[int, _Ending] = {}
        self._ended = SeqSet()
        self._names: set[str] = set()

    def has_seen(self, delivery: Delivery) -> bool:
        """Return whether a delivery came before."""
        seen = self._seen.get((delivery.source, delivery.scope))
        return seen is not None and delivery.seq in seen

    def step(self, event: Event, now: float) -> list[Action]:
        """Take in one event and return what is to be done; `now` changes nothing here."""
        match event:
            case Arrived(delivery):
                return self._arrived(delivery)
            case EdgeEnded():
                return []
            case _:
                raise TypeError(f"a sink takes no {type(event).__name__}")

    def _arrived(self, delivery: Delivery) -> list[Action]:
        key = (delivery.source, delivery.scope)
        if not self._seen.setdefault(key, SeqSet()).add(delivery.seq):
            return []
        actions: list[Action] = []
        names: tuple[str, ...] = ()
        if delivery.outcome == "done":
            names = tuple(self._name(part.name, delivery.item) for part in delivery.parts)
            actions.append(KeepResult(delivery, names))
        for origin in delivery.origins:
            actions += self._cover(origin, delivery, names)
        return actions

    def _name(self, name: str, item: ItemId) -> str:
        """Return the name itself, or with the item's id before its ending where it is taken."""
        stem, dot, ending = name.rpartition(".")
        candidate, k = name, 0
        while fold(candidate) in self._names:
            k += 1
            tag = f"~{item}" if k == 1 else f"~{item}-{k}"
            candidate = f"{stem}{tag}.{ending}" if dot and stem else f"{name}{tag}"
        self._names.add(fold(candidate))
        return candidate

    def _cover(self, origin: int, delivery: Delivery, names: tuple[str, ...]) -> list[Action]:
        if origin in self._ended:
            return []
        ending = self._endings.setdefault(origin, _Ending())
        ending.sources.add(delivery.source)
        ending.results += names
        if _WORSE[delivery.outcome] > _WORSE[ending.outcome]:
            ending.outcome, ending.detail = delivery.outcome, delivery.detail
        if len(ending.sources) < len(self._sinks):
            return []
        del self._endings[origin]
        self._ended.add(origin)
        return [Resolve(origin, ending.outcome, ending.detail, tuple(ending.results))]
