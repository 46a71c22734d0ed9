"""Membership: leases, and new views when nodes are lost, come or forget."""

from __future__ import annotations

from jupiter.control.membership import Membership, spread
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId
from jupiter.model.items import TaskPlan
from jupiter.model.view import Load, View
from jupiter.model.words import Beat

A, B, C = (TaskId(name) for name in "abc")
HOME, X, Y, Z = (NodeId(name) for name in ("home", "x", "y", "z"))
PLANS = (TaskPlan(A, (INGRESS,), (B,)), TaskPlan(B, (A,), (SINK,)))
PREFERRED = {A: X, B: Y}
LEASE_S = 4.0
SETTLE_S = 3.0


def membership(*plans: TaskPlan, settle_s: float = SETTLE_S) -> Membership:
    machine = Membership(HOME, plans or PLANS, PREFERRED, LEASE_S, settle_s)
    machine.start(View(1, {HOME: 1, X: 1, Y: 1}, PREFERRED), 0.0)
    return machine


def beat(machine: Membership, node: NodeId, now: float, incarnation: int = 1) -> list[act.Action]:
    return machine.beat(node, Beat(incarnation, machine.view.epoch, 0, -1, Load()), now)


def views(actions: list[act.Action]) -> list[View]:
    return [
        action.record.view
        for action in actions
        if isinstance(action, act.Persist) and isinstance(action.record, rec.Seen)
    ]


def adopt(machine: Membership, actions: list[act.Action]) -> list[View]:
    """Write down and take up what is proposed."""
    proposed = views(actions)
    for view in proposed:
        machine.kept(view)
    return proposed


def watch(
    machine: Membership, start_s: float, end_s: float, *alive: NodeId
) -> list[tuple[float, View]]:
    """Let nodes beat once a second, and look at the leases as often; return the new views."""
    found: list[tuple[float, View]] = []
    now = start_s
    while now <= end_s:
        actions = [action for node in alive for action in beat(machine, node, now)]
        actions += machine.due(now)
        found += [(now, view) for view in adopt(machine, actions)]
        now += 1.0
    return found


def test_leases_are_looked_at_several_times_in_their_length() -> None:
    machine = Membership(HOME, PLANS, PREFERRED, LEASE_S, SETTLE_S)
    view = View(1, {HOME: 1, X: 1, Y: 1}, PREFERRED)
    check = act.SetTimer(ev.Timer("lease"), 1.0)
    assert machine.start(view, 0.0) == [check]
    assert machine.due(1.0) == [check]


def test_nobody_is_lost_without_leases() -> None:
    machine = Membership(HOME, PLANS, PREFERRED, 0.0, SETTLE_S)
    assert machine.start(View(1, {HOME: 1, X: 1, Y: 1}, PREFERRED), 0.0) == []
    assert machine.due(1e9) == []


def test_nodes_that_are_heard_stay() -> None:
    assert watch(membership(), 1, 60, X, Y) == []


def test_node_that_is_not_heard_for_a_lease_is_lost_and_its_tasks_move() -> None:
    ((now, view),) = watch(membership(), 1, 20, X)
    assert now == LEASE_S + 1
    assert view == View(2, {HOME: 1, X: 1}, {A: X, B: X})


def test_home_never_loses_its_own_lease() -> None:
    machine = membership()
    views = watch(machine, 1, 30, X, Y)
    assert views == []
    assert HOME in machine.view.members


def test_view_holds_only_when_it_is_written_down_and_one_change_is_made_at_a_time() -> None:
    machine = membership()
    for now in (1.0, 2.0, 3.0, 4.0):
        beat(machine, X, now)
        machine.due(now)
    (view,) = views(machine.due(5.0))
    assert machine.view.epoch == 1
    assert views(machine.due(6.0)) == []
    machine.kept(view)
    assert machine.view == view


def test_node_that_forgot_ends_the_epoch_at_once() -> None:
    machine = membership()
    (view,) = views(beat(machine, X, 1.0, incarnation=2))
    assert view == View(2, {HOME: 1, X: 2, Y: 1}, PREFERRED)


def test_node_that_forgot_during_a_change_ends_the_next_epoch() -> None:
    machine = membership()
    (first,) = views(beat(machine, X, 1.0, incarnation=2))
    assert beat(machine, Y, 1.0, incarnation=5) == []
    machine.kept(first)
    (second,) = views(beat(machine, Y, 2.0, incarnation=5))
    assert second == View(3, {HOME: 1, X: 2, Y: 5}, PREFERRED)


def test_new_node_joins_when_it_was_heard_long_enough() -> None:
    ((now, view),) = watch(membership(), 1, 20, X, Y, Z)
    assert now == 1 + SETTLE_S
    assert view.members == {HOME: 1, X: 1, Y: 1, Z: 1}


def test_node_that_was_heard_once_does_not_join() -> None:
    machine = membership()
    assert watch(machine, 1, 1, X, Y, Z) == []
    assert watch(machine, 2, 20, X, Y) == []


def test_node_that_is_heard_only_now_and_then_does_not_join() -> None:
    machine = membership(settle_s=LEASE_S + 1)
    for now in range(1, 40):
        alive = (X, Y, Z) if now % 6 == 0 else (X, Y)
        assert watch(machine, now, now, *alive) == []


def test_lost_node_takes_part_again_after_waits_that_double() -> None:
    machine = membership()
    waits: list[float] = []
    now = 1.0
    for _ in range(3):
        (lost,) = watch(machine, now, now + 5, X)
        assert Y not in lost[1].members
        now += 6
        ((back_s, view),) = watch(machine, now, now + 40, X, Y)
        assert Y in view.members
        waits.append(back_s - now)
        now += 41
    assert waits == [2 * SETTLE_S, 4 * SETTLE_S, 8 * SETTLE_S]


def test_tasks_return_to_the_node_that_is_preferred() -> None:
    machine = membership()
    watch(machine, 1, 6, X)
    assert machine.view.mapping == {A: X, B: X}
    watch(machine, 7, 30, X, Y)
    assert machine.view.mapping == PREFERRED


def test_home_that_was_asleep_does_not_suspect_everybody() -> None:
    machine = membership()
    watch(machine, 1, 4, X, Y)
    assert views(machine.due(100.0)) == []
    assert watch(machine, 101, 120, X, Y) == []


def test_node_that_is_silent_after_the_sleep_of_home_is_lost_all_the_same() -> None:
    machine = membership()
    watch(machine, 1, 4, X, Y)
    assert views(machine.due(100.0)) == []
    ((now, view),) = watch(machine, 101, 120, X)
    assert now <= 100 + LEASE_S
    assert Y not in view.members


def test_there_is_no_view_in_which_a_task_could_run_nowhere() -> None:
    machine = membership(PLANS[0], TaskPlan(B, (A,), (SINK,), nodes=(Y,)))
    assert watch(machine, 1, 30, X) == []
    assert machine.next_view(31.0) is None
    assert machine.renew(31.0) == []


def test_renewing_begins_an_epoch_with_the_same_members() -> None:
    machine = membership()
    (view,) = views(machine.renew(1.0))
    assert view == View(2, {HOME: 1, X: 1, Y: 1}, PREFERRED)


# -- spread ----------------------------------------------------------------------------------------


def members(*nodes: NodeId) -> dict[NodeId, int]:
    return dict.fromkeys(nodes, 1)


def plan(name: TaskId, *nodes: NodeId) -> TaskPlan:
    return TaskPlan(name, (INGRESS,), (SINK,), nodes=nodes)


def test_preferred_node_is_taken_where_it_is_here() -> None:
    plans = (plan(A), plan(B))
    assert spread(plans, PREFERRED, members(HOME, X, Y, Z), HOME) == PREFERRED


def test_orphans_go_to_the_members_with_the_fewest_tasks() -> None:
    plans = (plan(A), plan(B), plan(C))
    preferred = {A: X, B: Z, C: Z}
    assert spread(plans, preferred, members(HOME, X, Y), HOME) == {A: X, B: Y, C: X}


def test_home_gets_an_orphan_only_where_the_task_names_it() -> None:
    assert spread((plan(B),), PREFERRED, members(HOME), HOME) is None
    assert spread((plan(B, HOME, Y),), PREFERRED, members(HOME), HOME) == {B: HOME}


def test_orphan_goes_only_where_it_may_run() -> None:
    assert spread((plan(B, Y, Z),), PREFERRED, members(HOME, X, Z), HOME) == {B: Z}
    assert spread((plan(B, Y, Z),), PREFERRED, members(HOME, X), HOME) is None


def test_epoch_that_must_begin_waits_until_every_task_can_run_somewhere() -> None:
    narrow = (TaskPlan(A, (INGRESS,), (B,), nodes=(X,)), TaskPlan(B, (A,), (SINK,)))
    machine = membership(*narrow)
    for now in (4.0, 8.0):
        beat(machine, Y, now)
    assert machine.renew(8.0) == []
    (view,) = adopt(machine, beat(machine, X, 8.5) + machine.due(8.5))
    assert view == View(2, {HOME: 1, X: 1, Y: 1}, PREFERRED)
    assert machine.due(9.5) != []
    assert views(machine.due(9.6)) == []


def test_epoch_that_is_being_written_down_is_new_enough() -> None:
    machine = membership()
    proposed = machine.lose(X, 0.0)
    assert machine.renew(0.0) == []
    adopt(machine, proposed)
    assert views(machine.due(0.1)) == []


def test_dead_process_loses_its_tasks_without_waiting_for_the_lease() -> None:
    machine = membership()
    (view,) = adopt(machine, machine.lose(X, 0.0))
    assert view == View(2, {HOME: 1, Y: 1}, {A: Y, B: Y})


def test_process_that_was_said_to_be_dead_and_lives_takes_part_again() -> None:
    machine = membership()
    adopt(machine, machine.lose(X, 0.0))
    found = watch(machine, 1.0, 12.0, X, Y)
    assert [view.members for _, view in found] == [{HOME: 1, X: 1, Y: 1}]
