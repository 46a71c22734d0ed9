"""Finds out where an item runs: asks the node of the task, or answers where this node is asked."""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.control.membership import able_nodes
from jupiter.control.policy import PlacementPolicy, Question
from jupiter.model import actions as act
from jupiter.model import records as rec
from jupiter.model.events import Timer
from jupiter.model.ids import SINK, ItemId, NodeId, TaskId
from jupiter.model.items import TaskPlan
from jupiter.model.view import Load, View
from jupiter.model.words import Ask, Placed, Query, Quote

Key = tuple[TaskId, ItemId]

CHOOSE_S = 0.25
"""A node that has not said by then how busy it is counts with what was known of it before."""


class _Open:
    """A question to the policy that waits for the loads of candidates."""

    __slots__ = ("askers", "last", "missing", "question")

    def __init__(self, question: Question, last: int) -> None:
        self.question = question
        self.last = last
        self.askers: dict[tuple[NodeId, int], None] = {}
        self.missing: dict[NodeId, None] = {}


class Placing:
    """Both sides of the question where an item runs at a task.

    Args:
        node: This one.
        home: Where results go.
        plans: Of all tasks.
        policy: What decides.
    """

    def __init__(
        self, node: NodeId, home: NodeId, plans: Mapping[TaskId, TaskPlan], policy: PlacementPolicy
    ) -> None:
        self._node = node
        self._home = home
        self._plans = plans
        self._policy = policy
        self._view = View(0, {}, {})
        self._candidates: dict[TaskId, tuple[NodeId, ...]] = {}
        self._found: dict[Key, tuple[NodeId, int]] = {}
        self._asked: dict[Key, int] = {}
        self._parked: dict[Key, list[act.Send]] = {}
        self._assigned: dict[Key, tuple[NodeId, int]] = {}
        self._keeping: dict[Key, list[tuple[NodeId, int]]] = {}
        self._choosing: dict[Key, _Open] = {}
        self._loads: dict[NodeId, Load] = {}
        self._mark = 0

    @property
    def size(self) -> int:
        """Entries in memory."""
        waiting = len(self._asked) + len(self._parked) + len(self._keeping) + len(self._choosing)
        return len(self._found) + len(self._assigned) + waiting

    @property
    def is_asking(self) -> bool:
        """Whether places are decided anew for each item."""
        return not self._policy.is_static

    def begin(self, view: View) -> None:
        """Forget the places of older epochs."""
        self._view = view
        for memory in (self._found, self._asked, self._parked, self._assigned):
            memory.clear()
        self._keeping.clear()
        self._choosing.clear()
        self._candidates = {}
        if not self._policy.is_static:
            for task, plan in self._plans.items():
                able = able_nodes(plan, view.members, self._home)
                own = view.mapping[task]
                self._candidates[task] = able if own in able else (own, *able)

    def tasks_here(self) -> tuple[TaskId, ...]:
        """Return the tasks that may run on this node in this epoch."""
        if self._policy.is_static:
            return tuple([t for t, node in self._view.mapping.items() if node == self._node])
        return tuple(
            [
                task
                for task, plan in self._plans.items()
                if self._view.mapping[task] == self._node
                or (not plan.is_scatter and self._node in self._candidates[task])
            ]
        )

    def forget(self, mark: int) -> None:
        """Drop what concerns only items below a number: they have ended."""
        self._mark = mark
        for memory in (self._found, self._assigned):
            for key in [key for key, (_, last) in memory.items() if last < mark]:
                del memory[key]
        for key in [key for key, last in self._asked.items() if last < mark]:
            del self._asked[key]
            self._parked.pop(key, None)
        for key in [key for key, opened in self._choosing.items() if opened.last < mark]:
            del self._choosing[key]

    # -- who asks ------------------------------------------------------------------------------

    def where(self, task: TaskId, item: ItemId) -> NodeId | None:
        """Return where an item runs, where that is known."""
        if task == SINK:
            return self._home
        if self._policy.is_static or self._plans[task].is_scatter:
            return self._view.mapping[task]
        found = self._found.get((task, item))
        return found[0] if found is not None else None

    def park(self, send: act.Send) -> None:
        """Keep a delivery until its place is known."""
        key = send.delivery.target, send.delivery.item
        self._parked.setdefault(key, []).append(send)

    def expect(self, task: TaskId, item: ItemId, last: int) -> list[act.Action]:
        """Find out where an item runs, if that is not known or asked."""
        key = task, item
        if key in self._asked or self.where(task, item) is not None:
            return []
        self._asked[key] = last
        return [act.Say(self._view.mapping[task], Ask(self._view.epoch, task, item, last))]

    def placed(self, word: Placed) -> list[act.Action]:
        """Take in an answer; return the deliveries that waited for it."""
        key = word.task, word.item
        if word.epoch != self._view.epoch or key in self._found:
            return []
        self._asked.pop(key, None)
        self._found[key] = word.node, word.last
        return list(self._parked.pop(key, ()))

    # -- who is asked --------------------------------------------------------------------------

    def asked(self, word: Ask, asker: NodeId, number: int) -> list[act.Action]:
        """Answer now, or when the policy knows enough."""
        key = word.task, word.item
        known = self._assigned.get(key)
        if key in self._keeping:
            self._keeping[key].append((asker, number))
            return []
        if known is not None:
            return [self._answer(key, known, asker, number)]
        if key in self._choosing:
            self._choosing[key].askers[asker, number] = None
            return []
        own = self._view.mapping[word.task]
        able = self._candidates[word.task]
        fit = [n for n in able if word.task not in self._loads.get(n, Load()).failing]
        question = Question(word.task, word.item, tuple(fit) or able, own)
        opened = _Open(question, word.last)
        opened.askers[asker, number] = None
        if not self._policy.asks_first:
            return self._choose(key, opened)
        self._choosing[key] = opened
        for node in question.candidates:
            opened.missing[node] = None
        return [
            *(act.Transmit(n, 0, Query(*key)) for n in question.candidates),
            act.SetTimer(Timer("choose", *key), CHOOSE_S),
        ]

    def quoted(self, word: Quote, node: NodeId) -> list[act.Action]:
        """Take in how busy a candidate is; the last one decides."""
        self.heard(node, word.load)
        opened = self._choosing.get((word.task, word.item))
        if opened is None:
            return []
        opened.missing.pop(node, None)
        return [] if opened.missing else self.due(word.task, word.item)

    def due(self, task: TaskId, item: ItemId) -> list[act.Action]:
        """Decide with what is known."""
        opened = self._choosing.pop((task, item), None)
        return self._choose((task, item), opened) if opened is not None else []

    def heard(self, node: NodeId, load: Load) -> None:
        """Note how busy a node is."""
        self._loads[node] = load

    def kept(self, record: rec.Assigned) -> list[act.Action]:
        """Answer who waits for a choice that is written down."""
        key = record.task, record.item
        if record.epoch != self._view.epoch:
            return []
        askers = self._keeping.pop(key, [])
        if record.last < self._mark:
            return []  # it ended while its place was written down
        found = self._assigned[key] = record.node, record.last
        return [self._answer(key, found, *asker) for asker in askers]

    def restore(self, record: rec.Assigned) -> None:
        """Take in a choice that was written down before this node died."""
        if record.epoch == self._view.epoch:
            self._assigned[record.task, record.item] = record.node, record.last

    def _choose(self, key: Key, opened: _Open) -> list[act.Action]:
        node = self._policy.choose(opened.question, self._loads)
        load = self._loads.get(node, Load())
        self._loads[node] = Load(load.queued + 1, load.running, load.cores, load.failing)
        self._keeping[key] = list(opened.askers)
        record = rec.Assigned(self._view.epoch, *key, node, opened.last)
        return [act.Persist(record, is_synced=True)]

    def _answer(
        self, key: Key, found: tuple[NodeId, int], asker: NodeId, number: int
    ) -> act.Action:
        return act.Transmit(asker, 0, Placed(number, self._view.epoch, *key, *found))
