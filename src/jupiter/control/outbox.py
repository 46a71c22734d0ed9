"""Keeps what was said to other nodes until they have it, and never says too much at once.

Each numbered word is transmitted as soon as the receiver's credit allows, again when the way to it
was broken and, where the network can lose things silently, after a time. Receivers tell with every
acknowledgement how many words may be under way to them; it is never less than one, so a full
receiver slows its senders down and stops none for good.
"""

from __future__ import annotations

from jupiter.kit.backoff import delay_s
from jupiter.kit.seqset import SeqSet
from jupiter.model.actions import Action, SetTimer, Transmit
from jupiter.model.events import Timer
from jupiter.model.ids import NodeId
from jupiter.model.items import PartRef
from jupiter.model.words import Ask, Deliver, Word

CREDIT_MAX = 64
"""Words under way to one node, where nothing else is asked for."""


class _Lane:
    """What is on its way to one node."""

    __slots__ = ("credit", "is_armed", "open", "rounds", "under_way", "waiting")

    def __init__(self, credit: int) -> None:
        self.open: dict[int, Transmit] = {}
        self.under_way: dict[int, None] = {}
        self.waiting: dict[int, None] = {}
        self.credit = credit
        self.rounds = 0
        self.is_armed = False


class Outbox:
    """Numbered words to all other nodes.

    Args:
        first: The first number; higher than any that this node used before it was restarted.
        resend_s: Seconds after which a word is transmitted again; 0 where the network loses nothing
            without a `Connected` to follow.
        credit_max: Words under way to a node that has not said anything yet, and the most that it
            may allow.
    """

    def __init__(self, first: int = 1, resend_s: float = 0.0, credit_max: int = CREDIT_MAX) -> None:
        self._number = first
        self._resend_s = resend_s
        self._credit_max = credit_max
        self._lanes: dict[NodeId, _Lane] = {}

    @property
    def size(self) -> int:
        """Words that are not acknowledged."""
        return sum(len(lane.open) for lane in self._lanes.values())

    @property
    def under_way(self) -> int:
        """Words on their way to one node, at most."""
        return max((len(lane.under_way) for lane in self._lanes.values()), default=0)

    def queues(self) -> dict[NodeId, tuple[int, int]]:
        """Return words that are not acknowledged, and the bytes of their bodies, by node."""
        return {
            node: (
                len(lane.open),
                sum(
                    each.word.delivery.size_bytes
                    for each in lane.open.values()
                    if isinstance(each.word, Deliver)
                ),
            )
            for node, lane in self._lanes.items()
        }

    def credits(self) -> dict[NodeId, int]:
        """Return how many more words may be put under way, by node; never negative."""
        return {
            node: max(0, lane.credit - len(lane.under_way)) for node, lane in self._lanes.items()
        }

    def refs_of(self, number: int) -> tuple[PartRef, ...]:
        """Return the parts that a word travels with; none where it is not open any more."""
        found = [lane.open[number].refs for lane in self._lanes.values() if number in lane.open]
        return found[0] if found else ()

    def post(self, node: NodeId, word: Word, refs: tuple[PartRef, ...] = ()) -> list[Action]:
        """Say something until it is acknowledged."""
        number, self._number = self._number, self._number + 1
        lane = self._lanes.get(node)
        if lane is None:
            lane = self._lanes[node] = _Lane(self._credit_max)
        transmit = lane.open[number] = Transmit(node, number, word, refs)
        if len(lane.under_way) >= lane.credit:
            lane.waiting[number] = None
            return []
        lane.under_way[number] = None
        if self._resend_s and not lane.is_armed:
            return [transmit, self._arm(node, lane)]
        return [transmit]

    def acked(self, node: NodeId, number: int, credit: int) -> Transmit | None:
        """Note an acknowledgement; return the word that it is for, where it is still open."""
        lane = self._lanes.get(node)
        if lane is None:
            return None
        lane.credit = max(1, min(self._credit_max, credit))
        lane.rounds = 0
        lane.under_way.pop(number, None)
        lane.waiting.pop(number, None)
        return lane.open.pop(number, None)

    def pump(self, node: NodeId) -> list[Action]:
        """Return what the credit allows to transmit now."""
        lane = self._lanes.get(node)
        actions: list[Action] = []
        if lane is None:
            return actions
        while lane.waiting and len(lane.under_way) < lane.credit:
            number = next(iter(lane.waiting))
            del lane.waiting[number]
            lane.under_way[number] = None
            actions.append(lane.open[number])
        if actions and self._resend_s and not lane.is_armed:
            actions.append(self._arm(node, lane))
        return actions

    def due(self, node: NodeId) -> list[Action]:
        """Transmit again what has been under way for too long."""
        lane = self._lanes[node]
        lane.is_armed = False
        if not lane.under_way:
            return []
        lane.rounds += 1
        return [*(lane.open[number] for number in lane.under_way), self._arm(node, lane)]

    def again(self, node: NodeId) -> list[Action]:
        """Transmit again what was under way, over a new connection."""
        lane = self._lanes.get(node)
        return [lane.open[number] for number in lane.under_way] if lane is not None else []

    def begin(self, epoch: int, members: tuple[NodeId, ...]) -> list[Action]:
        """Drop what belongs to older epochs, and the nodes that no longer take part."""
        actions: list[Action] = []
        for node, lane in list(self._lanes.items()):
            for number, transmit in list(lane.open.items()):
                if getattr(transmit.word, "epoch", epoch) < epoch or node not in members:
                    del lane.open[number]
                    lane.under_way.pop(number, None)
                    lane.waiting.pop(number, None)
            actions += self.pump(node)
        return actions

    def forget(self, settled: SeqSet) -> list[Action]:
        """Drop what concerns items that have ended, whether or not it arrived."""

        def is_over(word: Word) -> bool:
            if isinstance(word, Deliver):
                return all(origin in settled for origin in word.delivery.origins)
            return isinstance(word, Ask) and word.last < settled.mark

        actions: list[Action] = []
        for node, lane in self._lanes.items():
            if not lane.open:
                continue
            for number, transmit in list(lane.open.items()):
                if is_over(transmit.word):
                    del lane.open[number]
                    lane.under_way.pop(number, None)
                    lane.waiting.pop(number, None)
            actions += self.pump(node)
        return actions

    def _arm(self, node: NodeId, lane: _Lane) -> Action:
        lane.is_armed = True
        wait_s = delay_s(lane.rounds + 1, first_s=self._resend_s, most_s=8 * self._resend_s)
        return SetTimer(Timer("resend", node=node), wait_s)
