"""The figures of a whole run, from what all agents report to home."""

from __future__ import annotations

from collections.abc import Iterable

from jupiter.aio.scrape import Figure, text_of
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId, TaskId


class Totals:
    """What a run has come to so far.

    Args:
        inputs: Items that there will be.
    """

    def __init__(self, inputs: int) -> None:
        self._inputs = inputs
        self._accepted: set[int] = set()
        self._ended: dict[int, str] = {}
        self._changes = 0
        self._tasks: dict[tuple[TaskId, NodeId, str], list[float]] = {}
        self._moved: dict[tuple[NodeId, NodeId], list[int]] = {}

    def take(self, node: NodeId, facts: msg.Facts) -> None:
        """Count what an agent reports."""
        for task in facts.tasks:
            found = self._tasks.setdefault((task.task, task.node, task.status), [0, 0.0])
            found[0] += 1
            found[1] += task.finish_s - task.execute_s
        for each in facts.transfers:
            if each.source != each.target:
                moved = self._moved.setdefault((each.source, each.target), [0, 0])
                moved[0] += 1
                moved[1] += each.size_bytes
        for fact in facts.others:
            match fact:
                case msg.Accepted(seq):
                    self._accepted.add(seq)
                case msg.Ended(seq, outcome):
                    self._ended.setdefault(seq, outcome)
                case msg.Changed():
                    self._changes += 1

    def render(self, at_work: Iterable[NodeId]) -> bytes:
        """Return all figures, in the text format of Prometheus.

        Args:
            at_work: Nodes whose agents are.
        """
        inputs = Figure("gauge", "inputs", "Items that there will be.", ())
        inputs.add([], self._inputs)
        accepted = Figure("counter", "items_accepted", "Inputs that became items.", ())
        accepted.add([], len(self._accepted))
        ended = Figure("counter", "items_ended", "Items by outcome.", ("outcome",))
        outcomes = list(self._ended.values())
        for outcome in ("done", "filtered", "failed"):
            ended.add([outcome], outcomes.count(outcome))
        changes = Figure("counter", "membership_changes", "Times that nodes went or came.", ())
        changes.add([], self._changes)
        labels = ("task", "node", "status")
        attempts = Figure("counter", "attempts", "Executions that have ended.", labels)
        seconds = Figure("counter", "attempt_seconds", "Time of these executions.", labels)
        for task, (count, spent_s) in sorted(self._tasks.items()):
            attempts.add(task, count)
            seconds.add(task, spent_s)
        deliveries = Figure("counter", "deliveries", "Between nodes.", ("source", "target"))
        moved = Figure("counter", "delivered_bytes", "Of these.", ("source", "target"))
        for pair, (number, size) in sorted(self._moved.items()):
            deliveries.add(pair, number)
            moved.add(pair, size)
        agents = Figure("gauge", "agent_at_work", "Agents that are at work.", ("node",))
        for node in sorted(at_work):
            agents.add([node], 1)
        return text_of(
            [inputs, accepted, ended, changes, attempts, seconds, deliveries, moved, agents]
        )
