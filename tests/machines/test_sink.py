"""The sink: what is a result, what its file is called, when items have ended."""

from __future__ import annotations

from jupiter.control.sink import Sink
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import SINK, TaskId, item_id
from jupiter.model.items import Delivery, Outcome, Part
from jupiter.model.view import Numbers, View

A, B = TaskId("a"), TaskId("b")


def result(
    source: TaskId,
    seq: int,
    *names: str,
    outcome: Outcome = "done",
    detail: str = "",
    origins: tuple[int, ...] = (),
    epoch: int = 1,
) -> Delivery:
    parts = tuple(Part(name, 1) for name in names)
    scope = "s" if origins else ""
    return Delivery(scope, seq, origins or (seq,), source, SINK, parts, outcome, detail, epoch)


def arrive(machine: Sink, *deliveries: Delivery) -> list[act.Action]:
    return [action for each in deliveries for action in machine.step(ev.Arrived(each), 0.0)]


def commits(actions: list[act.Action]) -> list[rec.Committed]:
    return [
        action.record
        for action in actions
        if isinstance(action, act.Persist) and isinstance(action.record, rec.Committed)
    ]


def ended(actions: list[act.Action]) -> list[list[int]]:
    """Return the numbers of the items that end, commit by commit."""
    return [[ending.seq for ending in commit.endings] for commit in commits(actions)]


def results(actions: list[act.Action]) -> list[tuple[str, ...]]:
    return [ending.results for commit in commits(actions) for ending in commit.endings]


def show(machine: Sink, actions: list[act.Action]) -> list[act.Action]:
    """Make all commits visible; return what follows."""
    return [
        follow
        for commit in commits(actions)
        for event in (ev.Kept(commit), ev.Shown(commit.number))
        for follow in machine.step(event, 0.0)
    ]


def test_item_ends_when_every_sink_has_spoken_and_all_at_once() -> None:
    machine = Sink((A, B))
    b, a = result(B, 0, "y"), result(A, 0, "x")
    assert arrive(machine, b) == []
    (commit,) = commits(arrive(machine, a))
    assert commit.endings == (rec.Ending(0, "done", "", ("x", "y")),)
    assert commit.results == ((a, ("x",)), (b, ("y",)))


def test_nothing_is_published_before_it_is_written_down() -> None:
    machine = Sink((A,))
    actions = arrive(machine, result(A, 0, "x"))
    (commit,) = commits(actions)
    assert actions == [act.Persist(commit, is_synced=True)]
    assert machine.step(ev.Kept(commit), 0.0) == [act.Publish(commit)]


def test_item_is_settled_when_its_results_are_visible() -> None:
    machine = Sink((A,))
    follow = show(machine, arrive(machine, result(A, 0, "x")))
    assert follow[1:] == [
        act.Persist(rec.Published(1), is_synced=False),
        act.Resolve(rec.Ending(0, "done", "", ("x",))),
        act.DropInputs(item_id(0), SINK, 1),
        act.Settle((0,)),
    ]
    assert machine.step(ev.Shown(1), 0.0) == []
    assert machine.size == 0


def test_result_that_comes_twice_counts_once() -> None:
    machine = Sink((A, B))
    arrive(machine, result(A, 0, "x"))
    assert not machine.wants(result(A, 0, "x"))
    assert machine.wants(result(B, 0, "y"))
    assert arrive(machine, result(A, 0, "x")) == []
    arrive(machine, result(B, 0, "y"))
    assert arrive(machine, result(A, 0, "x"), result(B, 0, "y")) == []


def test_results_of_one_name_are_kept_apart() -> None:
    machine = Sink((A,))
    actions = [a for seq in range(3) for a in arrive(machine, result(A, seq, "out.log"))]
    assert results(actions) == [("out.log",), ("out~1.log",), ("out~2.log",)]


def test_names_that_differ_in_case_are_kept_apart() -> None:
    machine = Sink((A,))
    actions = arrive(machine, result(A, 0, "Out"), result(A, 1, "out"))
    assert results(actions) == [("Out",), ("out~1",)]


def test_several_results_of_an_item_may_have_one_name() -> None:
    actions = arrive(Sink((A,)), result(A, 0, "x.y", "x.y", "x.y"))
    assert results(actions) == [("x.y", "x~0.y", "x~0-2.y")]


def test_name_that_begins_with_a_dot_has_no_ending() -> None:
    actions = arrive(Sink((A,)), result(A, 0, ".log", ".log"))
    assert results(actions) == [(".log", ".log~0")]


def test_worst_outcome_of_the_sinks_is_the_items() -> None:
    actions = arrive(
        Sink((A, B, TaskId("c"))),
        result(A, 0, outcome="filtered", detail="nothing to see"),
        result(B, 0, outcome="failed", detail="b broke"),
        result(TaskId("c"), 0, "x"),
    )
    (commit,) = commits(actions)
    assert commit.endings == (rec.Ending(0, "failed", "b broke", ("x",)),)


def test_batch_ends_all_its_items_together() -> None:
    batch = result(A, 0, "x", origins=(0, 1, 2))
    (commit,) = commits(arrive(Sink((A,)), batch))
    assert [(each.seq, each.results) for each in commit.endings] == [
        (0, ("x",)),
        (1, ("x",)),
        (2, ("x",)),
    ]
    assert commit.results == ((batch, ("x",)),)


def test_batch_waits_until_all_its_items_are_complete() -> None:
    machine = Sink((A, B))
    assert not commits(arrive(machine, result(A, 0, "x", origins=(0, 1)), result(B, 0)))
    assert ended(arrive(machine, result(B, 1))) == [[0, 1]]


def test_items_of_overlapping_batches_end_together() -> None:
    machine = Sink((A, B))
    first = [result(A, 0, "x", origins=(0, 1)), result(B, 1, "y", origins=(1, 2)), result(B, 0)]
    assert not commits(arrive(machine, *first))
    assert ended(arrive(machine, result(A, 2))) == [[0, 1, 2]]


def test_batch_does_not_end_before_the_items_in_front_of_it() -> None:
    machine = Sink((A,))
    assert not commits(arrive(machine, result(A, 2, "x", origins=(2, 3))))
    assert ended(arrive(machine, result(A, 1))) == [[1]]
    assert ended(arrive(machine, result(A, 0))) == [[0], [2, 3]]


def test_rest_that_makes_no_batch_ends_with_the_last_item() -> None:
    machine = Sink((A,))
    machine.step(ev.Kept(rec.Closed(4)), 0.0)
    rest = result(A, 1, outcome="failed", origins=(1,))
    assert ended(arrive(machine, rest, result(A, 2), result(A, 0))) == [[2], [0]]
    assert ended(arrive(machine, result(A, 3))) == [[1, 3]]


def test_rest_ends_with_the_last_item_also_after_a_restart() -> None:
    machine = Sink((A,))
    machine.restore(rec.Closed(2))
    assert not commits(arrive(machine, result(A, 0, outcome="failed", origins=(0,))))
    assert ended(arrive(machine, result(A, 1))) == [[0, 1]]


def test_batch_that_failed_while_more_may_come_ends_at_once() -> None:
    batch = result(A, 0, outcome="failed", origins=(0, 1))
    assert ended(arrive(Sink((A,)), batch)) == [[0, 1]]


def test_batch_ends_with_the_items_between_its_own() -> None:
    machine = Sink((A, B))
    first = [result(B, seq) for seq in range(4)] + [result(A, 0, "x", origins=(0, 3))]
    assert not commits(arrive(machine, *first))
    assert ended(arrive(machine, result(A, 1, "y", origins=(1, 2)))) == [[0, 1, 2, 3]]


def test_items_of_a_lost_epoch_are_in_no_batch_that_ended() -> None:
    machine = Sink((A,))
    # In epoch 1 item 1 made the batch of item 0 complete; in epoch 2 item 2 does that instead.
    arrive(machine, result(A, 2, outcome="failed", origins=(2,)))
    machine.step(ev.Began(View(2, {}, {}), True, Numbers()), 0.0)
    again = [result(A, 1, outcome="failed", epoch=2), result(A, 0, "x", origins=(0, 2), epoch=2)]
    assert ended(arrive(machine, *again)) == [[1], [0, 2]]


def test_item_that_waits_for_its_batch_is_in_nobodys_way() -> None:
    machine = Sink((A, B))
    arrive(machine, result(A, 0, "x", origins=(0, 1)), result(B, 0))
    assert ended(arrive(machine, result(A, 2), result(B, 2))) == [[2]]


def test_items_end_as_they_come_where_order_is_not_asked_for() -> None:
    machine = Sink((A,))
    assert ended(arrive(machine, result(A, 2), result(A, 0))) == [[2], [0]]


def test_items_end_in_order_where_that_is_asked_for() -> None:
    machine = Sink((A,), is_ordered=True)
    assert ended(arrive(machine, result(A, 2), result(A, 1))) == []
    assert ended(arrive(machine, result(A, 0))) == [[0], [1], [2]]


def test_complete_item_that_waits_for_earlier_ones_is_parked() -> None:
    machine = Sink((A,), is_ordered=True)
    assert arrive(machine, result(A, 1)) == [act.Park((1,))]
    actions = arrive(machine, result(A, 0))
    assert not [a for a in actions if isinstance(a, act.Park)]


def test_complete_item_that_waits_for_others_of_its_batch_is_parked() -> None:
    machine = Sink((A, B))
    batch = result(A, 0, "x", origins=(0, 1))
    assert arrive(machine, batch, result(B, 1)) == [act.Park((1,))]


def test_incomplete_item_is_not_parked() -> None:
    assert arrive(Sink((A, B), is_ordered=True), result(A, 1)) == []


def test_new_epoch_forgets_results_that_were_not_committed() -> None:
    machine = Sink((A, B))
    arrive(machine, result(A, 0, "old"))
    assert machine.step(ev.Began(View(2, {}, {}), True, Numbers()), 0.0) == []
    assert arrive(machine, result(B, 0, "y", epoch=2)) == []
    assert results(arrive(machine, result(A, 0, "new", epoch=2))) == [("new", "y")]


def test_new_epoch_changes_nothing_of_what_was_committed() -> None:
    machine = Sink((A,))
    actions = arrive(machine, result(A, 0, "x"))
    machine.step(ev.Began(View(2, {}, {}), True, Numbers()), 0.0)
    assert not machine.wants(result(A, 0, "x", epoch=2))
    assert arrive(machine, result(A, 0, "x", epoch=2)) == []
    assert machine.showing == ("0",)
    assert act.Settle((0,)) in show(machine, actions)


def test_restart_shows_what_was_committed_and_not_published() -> None:
    before = Sink((A,))
    made = commits(arrive(before, result(A, 0, "x"), result(A, 1, "x")))
    machine = Sink((A,))
    records: list[rec.Record] = [*made, rec.Published(1)]
    for record in records:
        machine.restore(record)
    assert machine.resume() == [act.Publish(made[1])]
    assert machine.seqs_of(2) == (1,)
    assert machine.seqs_of(1) == ()


def test_restart_counts_on_and_keeps_names_taken() -> None:
    machine = Sink((A,))
    for record in commits(arrive(Sink((A,)), result(A, 0, "x"))):
        machine.restore(record)
    assert not machine.wants(result(A, 0, "x"))
    (commit,) = commits(arrive(machine, result(A, 1, "x")))
    assert commit.number == 2
    assert commit.endings[0].results == ("x~1",)
