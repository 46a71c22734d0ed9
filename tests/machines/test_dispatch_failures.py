"""The dispatcher: what becomes of failures, and of what a restart cut short."""

from __future__ import annotations

import pytest
from tests.machines.dispatching import (
    FIRST,
    PART,
    SIMPLE,
    A,
    B,
    arrive,
    attempts,
    broken,
    delivery,
    dispatcher,
    elected,
    ended,
    entry,
    finish,
    keep,
    names,
    retry,
    runs,
    sent,
    tell,
)

from jupiter.control.dispatch import CRASHES_MAX, Dispatcher
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, item_id
from jupiter.model.items import Attempt, Part, TaskPlan


def test_failed_attempt_is_repeated_after_a_pause() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    timer = ev.Timer("retry", A, item_id(0), attempt=FIRST)
    assert tell(machine, broken()) == [act.SetTimer(timer, 0.05)]
    assert machine.free_cores == 1
    assert attempts(tell(machine, ev.Due(timer))) == [(1, 2)]


def test_pauses_grow() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), retries=3))
    arrive(machine, entry(0))
    pauses = []
    for number in (1, 2, 3):
        (pause,) = tell(machine, broken(attempt=(1, number)))
        assert isinstance(pause, act.SetTimer)
        pauses.append(pause.delay_s)
        retry(machine, (1, number))
    assert pauses == [0.05, 0.1, 0.2]


def test_item_fails_with_the_reason_when_its_retries_are_used_up() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), retries=1))
    arrive(machine, entry(0))
    tell(machine, broken())
    retry(machine, FIRST)
    actions = tell(machine, broken(attempt=(1, 2)))
    assert elected(actions).attempt == (1, 2)
    (out,) = sent(keep(machine, actions))
    assert (out.outcome, out.parts) == ("failed", ())
    assert out.detail == "task a failed in 2 attempts: boom"


def test_final_failure_is_not_repeated() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), retries=5))
    arrive(machine, entry(0))
    actions = tell(machine, broken("no such file", is_final=True))
    assert elected(actions).outcome == "failed"
    assert elected(actions).detail == "task a failed in 1 attempt: no such file"


def test_result_of_an_attempt_that_no_longer_counts_is_ignored() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    tell(machine, broken())
    assert tell(machine, ended(A, 0, PART)) == []
    retry(machine, FIRST)
    assert tell(machine, ended(A, 0, PART)) == []
    assert tell(machine, broken()) == []
    assert machine.free_cores == 0


def test_second_result_of_an_attempt_is_ignored() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    finish(machine, A, 0, PART)
    assert tell(machine, ended(A, 0, Part("other", 1))) == []


def test_attempt_that_takes_too_long_is_killed_and_frees_its_core() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), retries=0, timeout_s=2.5))
    actions = arrive(machine, entry(0), entry(1))
    timer = ev.Timer("timeout", A, item_id(0), attempt=FIRST)
    assert act.SetTimer(timer, 2.5) in actions
    late = tell(machine, ev.Due(timer))
    assert late[0] == act.Kill(item_id(0), A, FIRST)
    assert runs(late) == [(A, "1")]
    assert "no end within the time limit of 2.5 s" in elected(late).detail


def test_time_limit_of_an_attempt_that_ended_does_nothing() -> None:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), timeout_s=2.5))
    arrive(machine, entry(0))
    timer = ev.Timer("timeout", A, item_id(0), attempt=FIRST)
    tell(machine, broken())
    retry(machine, FIRST)
    assert tell(machine, ev.Due(timer)) == []
    finish(machine, A, 0, PART, attempt=(1, 2))
    assert tell(machine, ev.Due(timer)) == []


def test_retry_that_comes_twice_runs_once() -> None:
    machine = dispatcher(SIMPLE, cores=4)
    arrive(machine, entry(0))
    tell(machine, broken())
    assert len(runs(retry(machine, FIRST))) == 1
    assert retry(machine, FIRST) == []


def restored(*records: rec.Record, retries: int = 2) -> Dispatcher:
    machine = dispatcher(TaskPlan(A, (INGRESS,), (B,), retries=retries))
    machine.is_restoring = True
    for record in records:
        machine.restore(record, 0.0)
    machine.is_restoring = False
    return machine


def test_attempt_that_was_cut_short_begins_anew_with_the_next_number() -> None:
    machine = restored(rec.Taken(entry(0)), rec.Started(A, item_id(0), FIRST))
    actions = machine.resume() + machine.start()
    assert attempts(actions) == [(1, 2)]


def test_what_was_elected_is_sent_again_and_not_run() -> None:
    machine = restored(
        rec.Taken(entry(0)),
        rec.Started(A, item_id(0), FIRST),
        rec.Elected(A, item_id(0), FIRST, ((0, 0),), (PART,), "done", ""),
    )
    assert machine.elected() == {(A, "0"): (1, FIRST)}
    actions = machine.resume() + machine.start()
    assert runs(actions) == []
    assert [names(each) for each in sent(actions)] == [(B, ["x"])]


def test_election_of_another_lineage_is_not_restored() -> None:
    machine = restored(
        rec.Taken(entry(0, attempt=(1, 2))),
        rec.Elected(A, item_id(0), FIRST, ((1, 1),), (PART,), "done", ""),
    )
    assert machine.elected() == {}
    assert runs(machine.resume() + machine.start()) == [(A, "0")]


@pytest.mark.parametrize(("number", "is_given_up"), [(CRASHES_MAX, False), (CRASHES_MAX + 1, True)])
def test_item_that_kills_its_node_is_given_up_at_last(number: int, is_given_up: bool) -> None:
    machine = restored(rec.Taken(entry(0)), rec.Started(A, item_id(0), (1, number)), retries=0)
    actions = machine.resume() + machine.start()
    assert bool(runs(actions)) != is_given_up
    if is_given_up:
        assert elected(actions).detail == f"task a never ended in {number} attempts"


def test_failure_that_was_passed_on_is_decided_again() -> None:
    machine = restored(rec.Taken(delivery(0, INGRESS, A, outcome="failed", detail="boom")))
    (out,) = sent(keep(machine, machine.resume()))
    assert (out.outcome, out.detail) == ("failed", "boom")


def full(attempt: Attempt) -> ev.Failed:
    return ev.Failed(item_id(0), A, attempt, "no space left on the disk", is_ours=True)


def test_attempts_that_a_full_disk_ended_do_not_count() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    for number in range(1, 30):
        (timer,) = tell(machine, full((1, number)))
        assert isinstance(timer, act.SetTimer)
        assert attempts(retry(machine, (1, number))) == [(1, number + 1)]
    actions = tell(machine, broken(attempt=(1, 30)))
    assert [a.record for a in actions if isinstance(a, act.Persist)] == []  # it is tried again


def test_restart_does_not_count_them_among_those_that_kill() -> None:
    machine = dispatcher(SIMPLE)
    begun = arrive(machine, entry(0))
    for number in range(1, 30):
        tell(machine, full((1, number)))
        begun += retry(machine, (1, number))
    written = [a.record for a in begun if isinstance(a, act.Persist)]
    assert written == [rec.Started(A, item_id(0), (1, 1))]
    after = dispatcher(SIMPLE)
    after.is_restoring = True
    for record in (rec.Taken(entry(0)), *written):
        after.restore(record, 0.0)
    after.is_restoring = False
    assert attempts(after.resume() + after.start()) == [(1, 2)]


def test_attempt_after_one_that_failed_by_itself_counts_again() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    tell(machine, full((1, 1)))
    retry(machine, (1, 1))
    tell(machine, broken(attempt=(1, 2)))
    actions = retry(machine, (1, 2))
    assert act.Persist(rec.Started(A, item_id(0), (1, 3)), is_synced=False) in actions


def test_beginning_that_was_written_behind_its_end_changes_nothing() -> None:
    machine = dispatcher(SIMPLE)
    arrive(machine, entry(0))
    record = elected(tell(machine, ended(A, 0, PART)))
    after = dispatcher(SIMPLE)
    after.is_restoring = True
    for each in (rec.Taken(entry(0)), record, rec.Started(A, item_id(0), FIRST)):
        after.restore(each, 0.0)
    after.is_restoring = False
    assert after.elected() == {(A, item_id(0)): (1, FIRST)}
    assert attempts(after.resume() + after.start()) == []
