"""The reconciler: as many workers as are wanted, and no more."""

from __future__ import annotations

from jupiter.control.reconcile import Reconciler
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model.ids import TaskId

A, B, C = (TaskId(name) for name in "abc")


def running(*tasks: TaskId) -> Reconciler:
    """Return a reconciler whose workers for some tasks are wanted and have started."""
    machine = Reconciler(tasks)
    machine.want(tasks)
    return machine


def test_what_is_wanted_and_missing_is_started_once() -> None:
    machine = Reconciler()
    assert machine.want((A, B)) == [act.Start(A), act.Start(B)]
    assert machine.want((A, B)) == []


def test_what_runs_and_is_wanted_stays() -> None:
    assert Reconciler((A,)).want((A,)) == []


def test_what_runs_and_is_not_wanted_is_stopped() -> None:
    machine = running(A, B)
    assert machine.want((B, C)) == [act.Stop(A), act.Start(C)]
    assert not machine.is_running(A)
    assert machine.is_running(B)


def test_task_runs_when_its_workers_are_ready_and_not_before() -> None:
    machine = Reconciler()
    machine.want((A,))
    assert not machine.is_running(A)
    assert machine.ready(A) == []
    assert machine.is_running(A)


def test_workers_that_are_ready_when_nobody_wants_them_are_stopped() -> None:
    machine = Reconciler()
    machine.want((A,))
    assert machine.want(()) == []
    assert machine.ready(A) == [act.Stop(A)]
    assert not machine.is_running(A)


def test_workers_wanted_again_while_they_start_are_not_started_twice() -> None:
    machine = Reconciler()
    machine.want((A,))
    machine.want(())
    assert machine.want((A,)) == []
    assert machine.ready(A) == []


def test_failed_start_is_repeated_after_growing_waits() -> None:
    machine = Reconciler()
    machine.want((A,))
    timer = ev.Timer("restart", A)
    for delay_s in (0.5, 1.0, 2.0, 4.0, 5.0, 5.0):
        assert machine.failed(A) == [act.SetTimer(timer, delay_s)]
        assert machine.start(A) == [act.Start(A)]


def test_good_start_makes_the_waits_short_again() -> None:
    machine = Reconciler()
    machine.want((A,))
    machine.failed(A)
    machine.failed(A)
    machine.start(A)
    machine.ready(A)
    assert machine.failed(A) == [act.SetTimer(ev.Timer("restart", A), 0.5)]


def test_workers_that_die_no_longer_run() -> None:
    machine = running(A)
    machine.failed(A)
    assert not machine.is_running(A)
    assert machine.start(A) == [act.Start(A)]


def test_restart_of_what_is_no_longer_wanted_does_nothing() -> None:
    machine = running(A)
    machine.failed(A)
    machine.want(())
    assert machine.start(A) == []


def test_restart_of_what_runs_does_nothing() -> None:
    assert running(A).start(A) == []
