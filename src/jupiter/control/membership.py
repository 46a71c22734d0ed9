"""Decides at home who takes part: leases, and a new view when a node is lost, comes or forgot.

A lease saves time, nothing else: a node whose lease ran out may still be at work, and whatever it
then sends is fenced off by its epoch. So a wrong suspicion costs work, never a result.
"""

from __future__ import annotations

from collections.abc import Mapping

from jupiter.model import actions as act
from jupiter.model import records as rec
from jupiter.model.events import Timer
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.items import TaskPlan
from jupiter.model.view import View
from jupiter.model.words import Beat


class Membership:
    """Who takes part in the stream.

    Args:
        home: This node; it never loses its lease.
        plans: Of all tasks.
        preferred: Where the schedule wants them.
        lease_s: A node that was not heard for so long is taken for lost; 0 is never.
        settle_s: A node that comes back must have been heard for so long before it takes part
            again, and twice as long with every further time.
    """

    def __init__(
        self,
        home: NodeId,
        plans: tuple[TaskPlan, ...],
        preferred: Mapping[TaskId, NodeId],
        lease_s: float,
        settle_s: float,
    ) -> None:
        self._home = home
        self._plans = plans
        self._preferred = preferred
        self._lease_s = lease_s
        self._settle_s = settle_s
        self._heard_s: dict[NodeId, float] = {}
        self._here_s: dict[NodeId, float] = {}
        self._incarnations: dict[NodeId, int] = {}
        self._losses: dict[NodeId, int] = {}
        self._next_check_s = 0.0
        self._is_changing = False
        self._must_renew = False
        self._view = View(0, {}, {})

    @property
    def view(self) -> View:
        """The present one."""
        return self._view

    def start(self, view: View, now: float) -> list[act.Action]:
        """Begin to watch the members of a view."""
        self._view = view
        for node, incarnation in view.members.items():
            self._heard_s[node] = self._here_s[node] = now
            self._incarnations[node] = incarnation
        return self._check_later(now)

    def beat(self, node: NodeId, beat: Beat, now: float) -> list[act.Action]:
        """Note that a node is alive; what it forgot ends the epoch at once."""
        is_back = now - self._heard_s.get(node, -1e18) > self._lease_s
        if is_back or self._incarnations.get(node) != beat.incarnation:
            self._here_s[node] = now
        self._heard_s[node] = now
        self._incarnations[node] = beat.incarnation
        if self._view.members.get(node, beat.incarnation) != beat.incarnation:
            return self._change(now)
        return []

    def lose(self, node: NodeId, now: float) -> list[act.Action]:
        """Note that the process of a node is dead; nobody has to wait for its lease."""
        if not self._lease_s or node not in self._heard_s or node == self._home:
            return []
        self._heard_s[node] = min(self._heard_s[node], now - 2 * self._lease_s)
        return self._change(now)

    def due(self, now: float) -> list[act.Action]:
        """Look for leases that ran out, and for nodes that may come back."""
        late_s = now - self._next_check_s
        if late_s > self._lease_s / 2:
            # This node was asleep itself: what the others said meanwhile is not read yet.
            for node in self._heard_s:
                self._heard_s[node] = max(self._heard_s[node], now - self._lease_s / 2)
        return self._change(now) + self._check_later(now)

    def kept(self, view: View) -> None:
        """Take up a view that is written down."""
        self._is_changing = False
        self._view = view

    def renew(self, now: float) -> list[act.Action]:
        """Begin a new epoch with whoever is here, as soon as every task could run somewhere."""
        self._must_renew = not self._is_changing
        return self._change(now)

    def next_view(self, now: float) -> View | None:
        """Return a view of who is here now; None where some task could run nowhere."""
        members: dict[NodeId, int] = {}
        for node, incarnation in self._incarnations.items():
            if node == self._home or self._is_here(node, now):
                members[node] = incarnation
        mapping = spread(self._plans, self._preferred, members, self._home)
        return View(self._view.epoch + 1, members, mapping) if mapping is not None else None

    def _is_here(self, node: NodeId, now: float) -> bool:
        if self._lease_s and now - self._heard_s[node] > self._lease_s:
            return False
        if node in self._view.members:
            return True
        wait_s = self._settle_s * 2.0 ** min(self._losses.get(node, 0), 6)
        return self._heard_s[node] - self._here_s[node] >= wait_s

    def _change(self, now: float) -> list[act.Action]:
        """Propose another view where another one is due."""
        if self._is_changing:
            return []
        view = self.next_view(now)
        if view is None or (view.members == self._view.members and not self._must_renew):
            return []
        for node in self._view.members:
            if node not in view.members:
                self._losses[node] = self._losses.get(node, 0) + 1
        self._is_changing, self._must_renew = True, False
        return [act.Persist(rec.Seen(view), is_synced=True)]

    def _check_later(self, now: float) -> list[act.Action]:
        if not self._lease_s:
            return []
        wait_s = self._lease_s / 4
        self._next_check_s = now + wait_s
        return [act.SetTimer(Timer("lease"), wait_s)]


def spread(
    plans: tuple[TaskPlan, ...],
    preferred: Mapping[TaskId, NodeId],
    members: Mapping[NodeId, int],
    home: NodeId,
) -> dict[TaskId, NodeId] | None:
    """Return a node for every task: the preferred one, else the member with the fewest tasks.

    Home is taken only where a task names it. None where a task can run on no member.
    """
    mapping: dict[TaskId, NodeId] = {}
    counts = dict.fromkeys(members, 0)
    orphans = []
    for plan in plans:
        node = preferred[plan.name]
        if node in members:
            mapping[plan.name] = node
            counts[node] += 1
        else:
            orphans.append(plan)
    for plan in orphans:
        fit = able_nodes(plan, members, home)
        if not fit:
            return None
        best = min(fit, key=lambda node: (counts[node], node))
        mapping[plan.name] = best
        counts[best] += 1
    return mapping


def able_nodes(plan: TaskPlan, members: Mapping[NodeId, int], home: NodeId) -> tuple[NodeId, ...]:
    """Return the members that may run a task: those that it names, else all but home."""
    if plan.nodes:
        return tuple([node for node in plan.nodes if node in members])
    return tuple([node for node in members if node != home])
