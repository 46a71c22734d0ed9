"""A whole node: what is written down before it is said, epochs, restarts, and a stream of two."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from jupiter.control.config import Level, NodeConfig
from jupiter.control.node import Node
from jupiter.control.plan import with_batchers
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model import words
from jupiter.model.ids import INGRESS, SINK, ItemId, NodeId, TaskId, item_id
from jupiter.model.items import Attempt, Delivery, Part, TaskPlan
from jupiter.model.view import Load, Numbers, View

A, B, C, D = (TaskId(name) for name in "abcd")
HOME, X, Y = (NodeId(name) for name in ("home", "x", "y"))
PART = Part("out", 1)
CHAIN = (TaskPlan(A, (INGRESS,), (B,), rank=0), TaskPlan(B, (A,), (SINK,), rank=1))
DIAMOND = (
    TaskPlan(A, (INGRESS,), (B, C), rank=0),
    TaskPlan(B, (A,), (D,), rank=1),
    TaskPlan(C, (A,), (D,), rank=2),
    TaskPlan(D, (B, C), (SINK,), rank=3),
)
SCATTER = with_batchers(
    (
        TaskPlan(A, (INGRESS,), (B, C), is_scatter=True, rank=0),
        TaskPlan(B, (A,), (SINK,), rank=1),
        TaskPlan(C, (A,), (SINK,), rank=2),
    )
)


def view(epoch: int = 1, **mapping: NodeId) -> View:
    nodes = {TaskId(task): node for task, node in mapping.items()} or {A: X, B: Y}
    return View(epoch, {HOME: 1, X: 1, Y: 1}, nodes)


def config(
    name: NodeId = X,
    plans: tuple[TaskPlan, ...] = CHAIN,
    first: View | None = None,
    level: Level = "hop",
) -> NodeConfig:
    seen = first or view()
    return NodeConfig(
        node=name, home=HOME, plans=plans, preferred=seen.mapping, view=seen, level=level
    )


def started(made: NodeConfig) -> Node:
    """Return a node that has taken up its first view."""
    machine = Node(made)
    keep(machine, machine.start(0.0))
    return machine


def keep(machine: Node, actions: list[act.Action]) -> list[act.Action]:
    """Write down what is to be written down, and all that follows; return what follows."""
    follow: list[act.Action] = []
    todo = list(actions)
    while todo:
        action = todo.pop(0)
        if isinstance(action, act.Persist):
            found = machine.step(ev.Kept(action.record), 0.0)
            follow += found
            todo += found
    return follow


def tell(machine: Node, event: ev.Event) -> list[act.Action]:
    """Return what follows from an event when all that is to be written down is."""
    actions = machine.step(event, 0.0)
    return actions + keep(machine, actions)


def entry(seq: int, epoch: int = 1) -> Delivery:
    return Delivery("", seq, (seq,), INGRESS, A, (PART,), epoch=epoch)


def deliver(seq: int = 0, number: int = 7, epoch: int = 1) -> ev.Received:
    return ev.Received(HOME, number, words.Deliver(entry(seq, epoch)))


def status(view: View, mark: int = 0, above: tuple[int, ...] = (), total: int = -1) -> ev.Received:
    return ev.Received(HOME, 0, words.Status(view, Numbers(mark, above), total))


def ended(task: TaskId = A, seq: int = 0, attempt: Attempt = (1, 1)) -> ev.Finished:
    return ev.Finished(item_id(seq), task, attempt, (PART,))


def records(actions: Iterable[act.Action]) -> list[rec.Record]:
    return [action.record for action in actions if isinstance(action, act.Persist)]


def said(actions: Iterable[act.Action], *kinds: type) -> list[tuple[NodeId, words.Word]]:
    return [
        (action.node, action.word)
        for action in actions
        if isinstance(action, act.Transmit) and isinstance(action.word, kinds)
    ]


def acked(actions: Iterable[act.Action]) -> list[int]:
    return [word.number for _, word in said(actions, words.Ack) if isinstance(word, words.Ack)]


def delivered(actions: Iterable[act.Action]) -> list[tuple[NodeId, TaskId, ItemId]]:
    return [
        (node, word.delivery.target, word.delivery.item)
        for node, word in said(actions, words.Deliver)
        if isinstance(word, words.Deliver)
    ]


def runs(actions: Iterable[act.Action]) -> list[tuple[TaskId, ItemId]]:
    return [(action.task, action.item) for action in actions if isinstance(action, act.Run)]


# -- what is written down --------------------------------------------------------------------------


def test_first_view_is_written_down_before_anything_is_taken() -> None:
    machine = Node(config())
    assert machine.start(0.0) == [act.Persist(rec.Seen(view()), is_synced=True)]
    assert not machine.is_member
    machine.step(ev.Kept(rec.Seen(view())), 0.0)
    assert machine.is_member


def test_delivery_is_acknowledged_when_it_is_written_down() -> None:
    machine = started(config())
    first = machine.step(deliver(), 0.0)
    assert first == [act.Persist(rec.Taken(entry(0)), is_synced=True)]
    second = machine.step(ev.Kept(rec.Taken(entry(0))), 1.0)
    assert acked(second) == [7]
    assert runs(second) == [(A, "0")]


def test_delivery_that_comes_twice_is_written_once_and_acknowledged_twice() -> None:
    machine = started(config())
    machine.step(deliver(number=7), 0.0)
    assert machine.step(deliver(number=9), 0.0) == []
    assert acked(machine.step(ev.Kept(rec.Taken(entry(0))), 0.0)) == [7, 9]
    late = machine.step(deliver(number=11), 0.0)
    assert acked(late) == [11]
    assert records(late) == []


def test_outputs_leave_only_after_their_election_is_written_down() -> None:
    machine = started(config())
    tell(machine, deliver())
    actions = machine.step(ended(), 0.0)
    assert [type(action) for action in actions] == [act.Persist]
    assert delivered(keep(machine, actions)) == [(Y, B, "0")]


def test_delivery_is_said_until_it_is_acknowledged() -> None:
    machine = started(config())
    tell(machine, deliver())
    (out,) = (a for a in tell(machine, ended()) if isinstance(a, act.Transmit))
    assert machine.step(ev.Connected(Y), 0.0) == [out]
    assert machine.step(ev.Received(Y, 0, words.Ack(out.number, 64)), 0.0) == []
    assert machine.step(ev.Connected(Y), 0.0) == []


def test_level_none_writes_nothing_down() -> None:
    machine = started(config(level="none"))
    actions = machine.step(deliver(), 0.0)
    assert records(actions) == []
    assert acked(actions) == [7]
    assert delivered(machine.step(ended(), 0.0)) == [(Y, B, "0")]


def test_level_ingress_syncs_only_what_home_writes() -> None:
    away = Node(config(X, level="ingress"))
    home = Node(config(HOME, level="ingress"))
    assert away.start(0.0) == [act.Persist(rec.Seen(view()), is_synced=False)]
    assert home.start(0.0) == [act.Persist(rec.Seen(view()), is_synced=True)]


def test_nothing_is_acknowledged_where_nothing_can_get_lost() -> None:
    machine = started(replace(config(level="none"), has_acks=False))
    assert acked(machine.step(deliver(), 0.0)) == []
    (out,) = (a for a in machine.step(ended(), 0.0) if isinstance(a, act.Transmit))
    assert out.number == 0
    assert machine.outbox.size == 0


def test_credit_falls_with_the_queue_and_never_below_one() -> None:
    machine = started(replace(config(level="none"), credit_max=3))
    found = [
        word.credit
        for seq in range(6)
        for _, word in said(machine.step(deliver(seq, seq + 1), 0.0), words.Ack)
        if isinstance(word, words.Ack)
    ]
    assert found == [3, 3, 2, 1, 1, 1]


def test_local_delivery_is_handed_over_before_it_runs() -> None:
    machine = started(config(first=view(a=X, b=X), level="none"))
    machine.step(deliver(), 0.0)
    actions = machine.step(ended(), 0.0)
    kinds = [type(action) for action in actions if isinstance(action, act.Hand | act.Run)]
    assert kinds == [act.Hand, act.Run]
    assert delivered(actions) == []


def test_local_delivery_is_handed_over_then_written_down_then_run() -> None:
    machine = started(config(first=view(a=X, b=X)))
    tell(machine, deliver())
    actions = tell(machine, ended())
    order = [
        "taken" if isinstance(action, act.Persist) else type(action).__name__
        for action in actions
        if isinstance(action, act.Hand | act.Run)
        or (isinstance(action, act.Persist) and isinstance(action.record, rec.Taken))
    ]
    assert order == ["Hand", "taken", "Run"]


def test_every_event_from_outside_ends_in_as_many_runs_as_there_are_cores() -> None:
    machine = started(replace(config(level="none"), cores=2))
    found = [run for seq in range(4) for run in runs(machine.step(deliver(seq), 0.0))]
    assert found == [(A, "0"), (A, "1")]


# -- epochs ----------------------------------------------------------------------------------------


def test_word_of_an_older_epoch_is_acknowledged_and_ignored() -> None:
    machine = started(config(first=view(2)))
    actions = machine.step(deliver(epoch=1), 0.0)
    assert acked(actions) == [7]
    assert len(actions) == 1
    assert machine.size == 0
    assert not machine.wants(entry(0, epoch=1))


def test_word_of_a_newer_epoch_is_not_acknowledged_and_home_is_asked_once() -> None:
    machine = started(config())
    assert machine.step(deliver(epoch=2), 0.0) == [
        act.Transmit(HOME, 0, words.Beat(1, 1, 0, -1, Load()))
    ]
    assert machine.step(deliver(seq=1, epoch=2), 0.0) == []
    assert not machine.wants(entry(0, epoch=2))
    assert machine.size == 0


def test_view_of_home_is_written_down_once_and_then_taken_up() -> None:
    machine = started(config())
    news = status(view(2))
    assert machine.step(news, 0.0) == [act.Persist(rec.Seen(view(2)), is_synced=True)]
    assert machine.step(news, 0.0) == []
    machine.step(ev.Kept(rec.Seen(view(2))), 0.0)
    assert machine.view == view(2)
    assert runs(tell(machine, deliver(epoch=2))) == [(A, "0")]


def test_older_view_is_not_taken_up() -> None:
    machine = started(config(first=view(3)))
    assert tell(machine, status(view(2))) == []
    assert machine.view == view(3)


def test_delivery_whose_epoch_ends_while_it_is_written_down_is_dropped() -> None:
    machine = started(config())
    machine.step(deliver(), 0.0)
    tell(machine, status(view(2)))
    assert machine.step(ev.Kept(rec.Taken(entry(0))), 0.0) == [act.DropInputs(item_id(0), A, 1)]


def test_words_of_an_older_epoch_are_no_longer_said() -> None:
    machine = started(config())
    tell(machine, deliver())
    tell(machine, ended())
    assert machine.outbox.size == 1
    tell(machine, status(view(2)))
    assert machine.outbox.size == 0


def test_result_of_the_older_epoch_is_sent_in_the_new_one() -> None:
    machine = started(config())
    tell(machine, deliver())
    tell(machine, ended())
    tell(machine, status(view(2, a=X, b=HOME)))
    assert not machine.wants(entry(0, epoch=2))
    actions = tell(machine, deliver(number=8, epoch=2))
    assert acked(actions) == [8]
    assert runs(actions) == []
    ((node, word),) = said(actions, words.Deliver)
    assert isinstance(word, words.Deliver)
    assert (node, word.delivery.epoch, word.delivery.attempt) == (HOME, 2, (1, 1))


def test_node_that_forgot_is_no_member_of_a_view_with_its_older_self() -> None:
    machine = started(replace(config(), incarnation=2))
    assert not machine.is_member
    assert not machine.wants(entry(0))
    assert records(machine.step(deliver(), 0.0)) == []


# -- home ------------------------------------------------------------------------------------------


def offered(name: str = "f") -> ev.Offered:
    return ev.Offered(name, (Part(name, 1),))


def result(seq: int = 0, number: int = 3) -> ev.Received:
    delivery = Delivery("", seq, (seq,), B, SINK, (PART,), epoch=1, attempt=(1, 1))
    return ev.Received(Y, number, words.Deliver(delivery))


def test_input_goes_from_home_to_the_node_of_its_task() -> None:
    machine = started(config(HOME))
    actions = tell(machine, offered())
    assert delivered(actions) == [(X, A, "0")]
    assert act.Accept(0, "f", 0.0) in actions


def test_item_ends_at_home_and_what_was_said_about_it_is_forgotten() -> None:
    machine = started(config(HOME))
    tell(machine, offered())
    actions = tell(machine, result())
    (publish,) = (a for a in actions if isinstance(a, act.Publish))
    shown = tell(machine, ev.Shown(publish.commit.number))
    assert act.Resolve(rec.Ending(0, "done", "", ("out",))) in shown
    assert act.DropOutputs(item_id(0), INGRESS) in shown
    assert machine.size == 0
    late = tell(machine, result(number=4))
    assert acked(late) == [4]
    assert len(late) == 1


def test_end_of_the_last_item_is_told_to_all_members_and_drains() -> None:
    machine = started(config(HOME))
    tell(machine, offered())
    tell(machine, ev.InputClosed())
    tell(machine, result())
    actions = tell(machine, ev.Shown(1))
    news = words.Status(view(), Numbers(1), 1)
    assert said(actions, words.Status) == [(X, news), (Y, news)]
    assert actions.count(act.Drained()) == 1


def test_hold_is_acknowledged_and_makes_room() -> None:
    machine = started(replace(config(HOME), in_flight_max=1))
    tell(machine, offered("f"))
    assert delivered(tell(machine, offered("g"))) == []
    actions = tell(machine, ev.Received(X, 5, words.Hold(1, (0,))))
    assert acked(actions) == [5]
    assert delivered(actions) == [(X, A, "1")]


def test_node_that_knows_less_than_home_is_told_and_others_are_not() -> None:
    machine = started(config(HOME))
    behind = ev.Received(X, 0, words.Beat(1, 0, 0, -1, Load()))
    equal = ev.Received(X, 0, words.Beat(1, 1, 0, -1, Load()))
    assert said(tell(machine, behind), words.Status) == [(X, words.Status(view(), Numbers(), -1))]
    assert said(tell(machine, equal), words.Status) == []


def test_lost_node_starts_a_new_epoch_in_which_items_are_sent_again() -> None:
    made = replace(config(HOME), lease_s=4.0)
    machine = started(made)
    tell(machine, offered())
    for now in (1.0, 2.0, 3.0, 4.0):
        machine.step(ev.Received(Y, 0, words.Beat(1, 1, 0, -1, Load())), now)
        machine.step(ev.Due(ev.Timer("lease")), now)
    actions = machine.step(ev.Due(ev.Timer("lease")), 5.0)
    actions += keep(machine, actions)
    assert machine.view.members == {HOME: 1, Y: 1}
    assert delivered(actions) == [(Y, A, "0")]


# -- the end of items, on other nodes --------------------------------------------------------------


def test_items_that_ended_are_forgotten_when_that_is_written_down() -> None:
    machine = started(config())
    tell(machine, deliver())
    tell(machine, ended())
    actions = machine.step(status(view(), 1), 0.0)
    assert actions == [act.Persist(rec.Forgotten(Numbers(1)), is_synced=True)]
    assert machine.keeps_outputs(A, item_id(0))
    assert act.DropOutputs(item_id(0), A) in keep(machine, actions)
    assert not machine.keeps_outputs(A, item_id(0))
    assert machine.size == 0


def test_delivery_of_an_item_that_ended_is_acknowledged_and_ignored() -> None:
    machine = started(config())
    tell(machine, status(view(), 1))
    assert not machine.wants(entry(0))
    actions = tell(machine, deliver())
    assert acked(actions) == [7]
    assert len(actions) == 1


def test_older_news_after_newer_changes_nothing() -> None:
    machine = started(config())
    tell(machine, status(view(), 2, (4,), total=9))
    assert tell(machine, status(view(), 1)) == []


def test_unfinished_batch_fails_when_home_tells_the_number_of_items() -> None:
    machine = started(config(plans=SCATTER, first=view(a=X, b=Y, c=Y)))
    tell(machine, deliver())
    assert said(tell(machine, ended()), words.Hold) == [(HOME, words.Hold(1, (0,)))]
    actions = tell(machine, status(view(a=X, b=Y, c=Y), total=1))
    assert delivered(actions) == [(Y, B, "a.0"), (Y, C, "a.0")]


# -- placement -------------------------------------------------------------------------------------


def test_delivery_waits_until_its_place_is_known() -> None:
    machine = started(replace(config(), placement="least-loaded"))
    ((node, question),) = said(tell(machine, deliver()), words.Ask)
    assert (node, question) == (Y, words.Ask(1, B, item_id(0), 0))
    assert delivered(tell(machine, ended())) == []
    answer = words.Placed(1, 1, B, item_id(0), HOME, 0)
    assert delivered(tell(machine, ev.Received(Y, 0, answer))) == [(HOME, B, "0")]


def test_answer_to_a_question_acknowledges_it() -> None:
    machine = started(replace(config(), placement="least-loaded"))
    tell(machine, deliver())
    assert machine.outbox.size == 1
    tell(machine, ev.Received(Y, 0, words.Placed(1, 1, B, item_id(0), Y, 0)))
    assert machine.outbox.size == 0


def test_question_is_answered_when_the_choice_is_written_down() -> None:
    machine = started(replace(config(Y), placement="least-loaded"))
    first = machine.step(ev.Received(X, 4, words.Ask(1, B, item_id(0), 0)), 0.0)
    (record,) = records(first)
    assert said(first, words.Placed) == []
    assert isinstance(record, rec.Assigned)
    told = said(keep(machine, first), words.Placed)
    assert told == [(X, words.Placed(4, 1, B, item_id(0), record.node, 0))]


def test_node_that_asks_itself_needs_no_network() -> None:
    made = replace(config(first=view(a=X, b=X)), placement="least-loaded")
    machine = started(made)
    actions = tell(machine, deliver())
    assert said(actions, words.Ask, words.Placed) == []
    assert machine.placing.where(B, item_id(0)) == X


def test_query_is_answered_with_the_load() -> None:
    machine = started(config(level="none"))
    for seq in range(3):
        machine.step(deliver(seq), 0.0)
    assert machine.step(ev.Received(Y, 0, words.Query(B, item_id(0))), 0.0) == [
        act.Transmit(Y, 0, words.Quote(B, item_id(0), Load(2, 1, 1)))
    ]


# -- workers ---------------------------------------------------------------------------------------


def test_workers_are_started_as_the_view_wants_and_items_wait_for_them() -> None:
    machine = Node(replace(config(), has_workers=True))
    assert act.Start(A) in keep(machine, machine.start(0.0))
    assert runs(tell(machine, deliver())) == []
    assert runs(tell(machine, ev.Ready(A))) == [(A, "0")]
    moved = tell(machine, status(view(2, a=Y, b=X)))
    assert [a for a in moved if isinstance(a, act.Start | act.Stop)] == [
        act.Stop(A),
        act.Start(B),
    ]


def test_workers_that_cannot_start_are_tried_again() -> None:
    machine = started(replace(config(), has_workers=True))
    assert tell(machine, ev.Unready(A, "no such file")) == [
        act.SetTimer(ev.Timer("restart", A), 0.5)
    ]
    assert tell(machine, ev.Due(ev.Timer("restart", A))) == [act.Start(A)]


def test_sign_of_life_is_given_again_and_again() -> None:
    machine = Node(replace(config(), beat_s=2.0))
    again = act.SetTimer(ev.Timer("beat"), 2.0)
    assert again in machine.start(0.0)
    beat = machine.step(ev.Due(ev.Timer("beat")), 2.0)
    assert [node for node, _ in said(beat, words.Beat)] == [HOME]
    assert again in beat


# -- restarts --------------------------------------------------------------------------------------


def journal(machine: Node, *told: ev.Event) -> list[rec.Record]:
    """Return what a node writes down from its start on."""
    actions = machine.start(0.0)
    actions += keep(machine, actions)
    for event in told:
        actions += tell(machine, event)
    return records(actions)


def test_restored_node_knows_the_same_elections_and_sends_them_again() -> None:
    before = Node(config())
    written = journal(before, deliver(0, 1), ended(seq=0), deliver(1, 2), ended(seq=1))
    after = Node(replace(config(), first_number=100))
    after.restore(written, 5.0)
    assert before.dispatcher.elected() == {(A, "0"): (1, (1, 1)), (A, "1"): (1, (1, 1))}
    assert after.dispatcher.elected() == before.dispatcher.elected()
    assert after.view == before.view
    assert after.is_member
    actions = after.resume(6.0)
    assert delivered(actions) == [(Y, B, "0"), (Y, B, "1")]
    assert runs(actions) == []
    numbers = [a.number for a in actions if isinstance(a, act.Transmit)]
    assert numbers == [100, 101]


def test_restored_node_runs_again_what_was_cut_short() -> None:
    written = journal(Node(config()), deliver(0, 1), deliver(1, 2))
    after = Node(config())
    after.restore(written, 5.0)
    (run,) = (a for a in after.resume(6.0) if isinstance(a, act.Run))
    assert (run.item, run.attempt) == ("0", (1, 2))
    assert after.keeps_inputs(A, item_id(1))


def test_restored_node_takes_a_delivery_that_it_had_written_down_only_once() -> None:
    after = Node(config())
    after.restore(journal(Node(config()), deliver()), 5.0)
    after.resume(6.0)
    actions = after.step(deliver(number=8), 7.0)
    assert acked(actions) == [8]
    assert len(actions) == 1


def test_restored_node_knows_what_had_ended() -> None:
    written = journal(Node(config()), deliver(), ended(), status(view(), 1))
    after = Node(config())
    after.restore(written, 5.0)
    assert after.size == 0
    assert delivered(after.resume(6.0)) == []
    assert not after.keeps_outputs(A, item_id(0))


def test_restored_node_says_nothing_while_it_reads() -> None:
    after = Node(config())
    after.restore(journal(Node(config()), deliver(), ended()), 5.0)
    assert after.step(ev.Connected(Y), 5.0) == []


def test_restored_home_begins_a_new_epoch_and_sends_again_what_has_not_ended() -> None:
    before = Node(config(HOME))
    written = journal(before, offered("f"), offered("g"), result(0), ev.Shown(1))
    after = Node(config(HOME))
    after.restore(written, 5.0)
    actions = after.resume(6.0)
    actions += keep(after, actions)
    assert after.view == view(2)
    assert delivered(actions) == [(X, A, "1")]


def test_restored_home_shows_what_was_committed_and_not_published() -> None:
    after = Node(config(HOME))
    after.restore(journal(Node(config(HOME)), offered(), result()), 5.0)
    actions = after.resume(6.0)
    assert [a.commit.number for a in actions if isinstance(a, act.Publish)] == [1]
    assert after.keeps_inputs(SINK, item_id(0))
    shown = tell(after, ev.Shown(1))
    assert act.Resolve(rec.Ending(0, "done", "", ("out",))) in shown


def test_home_without_a_record_starts_as_if_it_were_new() -> None:
    machine = Node(config(HOME))
    machine.restore([], 0.0)
    assert machine.resume(0.0) == [act.Persist(rec.Seen(view()), is_synced=True)]


def test_restored_home_lets_an_unfinished_batch_of_its_own_fail() -> None:
    made = config(HOME, SCATTER, view(a=HOME, b=X, c=X))
    after = Node(made)
    after.restore(journal(Node(made), offered(), ev.InputClosed()), 5.0)
    resumed = after.resume(6.0)
    (run,) = (a for a in resumed if isinstance(a, act.Run))
    keep(after, resumed)
    actions = tell(after, ended(attempt=run.attempt))
    assert delivered(actions) == [(X, B, "a.0"), (X, C, "a.0")]


def test_restored_home_keeps_nothing_of_what_had_ended() -> None:
    made = config(HOME, (TaskPlan(A, (INGRESS,), (SINK,)),), view(a=HOME))
    before = Node(made)
    written = journal(before, offered(), ended(), ev.Shown(1))
    assert before.size == 0
    after = Node(made)
    after.restore(written, 5.0)
    keep(after, after.resume(6.0))
    assert not after.keeps_outputs(A, item_id(0))
    assert after.size == 0


# -- a stream --------------------------------------------------------------------------------------


@dataclass
class Loop:
    """Brings everything that two nodes say to each other, in an order drawn from a seed.

    Attributes:
        copies: How often each word comes, drawn anew for each.
    """

    configs: dict[NodeId, NodeConfig]
    draw: random.Random
    copies: tuple[int, ...] = (2,)
    now: float = 0.0
    nodes: dict[NodeId, Node] = field(default_factory=dict)
    coming: list[tuple[NodeId, ev.Event]] = field(default_factory=list)
    """What can happen next, in any order."""
    writing: dict[NodeId, list[rec.Record]] = field(default_factory=dict)
    """What is written down next, in this order."""
    journals: dict[NodeId, list[rec.Record]] = field(default_factory=dict)
    timers: list[tuple[float, NodeId, ev.Timer]] = field(default_factory=list)
    ends: Counter[int] = field(default_factory=Counter)
    runs: list[act.Run] = field(default_factory=list)
    elections: Counter[tuple[TaskId, ItemId]] = field(default_factory=Counter)
    drained: int = 0

    def start(self) -> None:
        for name, made in self.configs.items():
            self.writing[name], self.journals[name] = [], []
            self.nodes[name] = Node(made)
            self.do(name, self.nodes[name].start(self.now))

    def do(self, name: NodeId, actions: list[act.Action]) -> None:
        for action in actions:
            match action:
                case act.Transmit(node, number, word):
                    heard = ev.Received(name, number, word)
                    self.coming += [(node, heard)] * self.draw.choice(self.copies)
                case act.Persist(record):
                    self.writing[name].append(record)
                case act.Run(item, task, attempt):
                    self.runs.append(action)
                    self.coming.append((name, ev.Finished(item, task, attempt, (PART,))))
                case act.Publish(commit):
                    self.coming.append((name, ev.Shown(commit.number)))
                case act.SetTimer(timer, delay_s):
                    self.timers.append((self.now + delay_s, name, timer))
                case act.Resolve(ending):
                    assert ending.outcome == "done"
                    self.ends[ending.seq] += 1
                case act.Drained():
                    self.drained += 1

    def step(self) -> bool:
        """Let one thing happen; return whether there was any."""
        writers = [name for name, records in self.writing.items() if records]
        count = len(self.coming) + len(writers)
        if not count:
            return self.wait()
        k = self.draw.randrange(count)
        if k < len(self.coming):
            name, event = self.coming.pop(k)
        else:
            name = writers[k - len(self.coming)]
            record = self.writing[name].pop(0)
            self.journals[name].append(record)
            if isinstance(record, rec.Elected):
                self.elections[record.task, record.item] += 1
            event = ev.Kept(record)
        self.do(name, self.nodes[name].step(event, self.now))
        return True

    def wait(self) -> bool:
        """Let time pass until the next timer."""
        if self.drained or not self.timers:
            return False
        self.timers.sort(key=lambda each: each[0])
        self.now, name, timer = self.timers.pop(0)
        self.do(name, self.nodes[name].step(ev.Due(timer), self.now))
        return True

    def crash(self, name: NodeId) -> None:
        """Let a node die and come back with what was written down."""
        self.writing[name].clear()
        own = (ev.Finished, ev.Shown)
        self.coming = [(n, e) for n, e in self.coming if n != name or not isinstance(e, own)]
        self.timers = [timer for timer in self.timers if timer[1] != name]
        first = self.nodes[name].outbox._number
        self.nodes[name] = Node(replace(self.configs[name], first_number=first))
        self.nodes[name].restore(self.journals[name], self.now)
        self.do(name, self.nodes[name].resume(self.now))
        self.coming += [(other, ev.Connected(name)) for other in self.nodes if other != name]


ITEMS = 20


def loop(seed: int, copies: tuple[int, ...] = (2,), **kinds: object) -> Loop:
    seen = View(1, {HOME: 1, X: 1}, {A: X, B: HOME, C: X, D: HOME})
    base = NodeConfig(
        node=HOME,
        home=HOME,
        plans=DIAMOND,
        preferred=seen.mapping,
        view=seen,
        level="hop",
        cores=2,
        in_flight_max=8,
        credit_max=4,
        resend_s=1.0,
    )
    configs = {name: replace(base, node=name, **kinds) for name in (HOME, X)}  # type: ignore[arg-type]
    made = Loop(configs, random.Random(seed), copies)
    made.start()
    made.coming += [(HOME, offered(f"f{seq}")) for seq in range(ITEMS)]
    return made


def close_after(made: Loop) -> None:
    """Close the input once all of it was offered, and go on to the end."""
    while any(isinstance(event, ev.Offered) for _, event in made.coming):
        made.step()
    made.coming.append((HOME, ev.InputClosed()))
    for _ in range(200_000):
        if not made.step():
            return
    raise AssertionError("the stream does not end")


def check(made: Loop) -> None:
    assert made.ends == Counter(range(ITEMS))
    assert made.drained == 1
    assert set(made.elections.values()) == {1}
    assert len(made.elections) == ITEMS * len(DIAMOND)
    for run in made.runs:
        assert {each.item for each in run.inputs} == {run.item}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_each_item_ends_once_though_every_word_comes_twice_and_in_any_order(seed: int) -> None:
    made = loop(seed)
    close_after(made)
    check(made)
    assert len(made.runs) == ITEMS * len(DIAMOND)
    assert {name: machine.size for name, machine in made.nodes.items()} == {HOME: 0, X: 0}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_each_item_ends_once_though_words_are_lost(seed: int) -> None:
    made = loop(seed, copies=(0, 0, 1, 2))
    close_after(made)
    check(made)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_items_end_in_the_order_of_their_numbers_where_that_is_asked_for(seed: int) -> None:
    made = loop(seed, is_ordered=True)
    close_after(made)
    check(made)
    commits = [each for each in made.journals[HOME] if isinstance(each, rec.Committed)]
    assert [end.seq for each in commits for end in each.endings] == list(range(ITEMS))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_each_item_ends_once_though_places_are_decided_for_each(seed: int) -> None:
    made = loop(seed, copies=(0, 1, 2), placement="least-loaded")
    close_after(made)
    check(made)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), crashes=st.lists(st.integers(0, 60), min_size=1, max_size=4))
def test_each_item_ends_once_though_a_node_dies_and_comes_back(
    seed: int, crashes: list[int]
) -> None:
    made = loop(seed, copies=(1, 2))
    for steps in crashes:
        for _ in range(steps):
            made.step()
        made.crash(X)
    close_after(made)
    check(made)
