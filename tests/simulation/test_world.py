"""The parts of a simulated world: disks, links, users, and times that vary."""

from __future__ import annotations

import statistics

import pytest

from jupiter.kit.rng import stream
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model.ids import INGRESS, SINK, ItemId, NodeId, TaskId
from jupiter.model.items import TaskPlan
from jupiter.model.records import Published, Record, Started
from jupiter.model.transfer import TransferModel
from jupiter.simulator.disk import Disk
from jupiter.simulator.faults import InjectedFault, read_fault
from jupiter.simulator.network import Links, Weather
from jupiter.simulator.stream import Scenario, Simulated, simulate
from jupiter.simulator.world import World
from jupiter.simulator.writer import Writer

HOME, X, Y = NodeId("home"), NodeId("x"), NodeId("y")
A, B = TaskId("a"), TaskId("b")


def record(number: int) -> Record:
    return Published(number)


def test_process_death_keeps_what_was_written_and_loses_what_was_staged() -> None:
    disk = Disk()
    disk.put(("f",), 1)
    disk.append(record(1))
    disk.stage(record(2))
    disk.crash()
    disk.sync(1)
    assert disk.image.files == {("f",): 1}
    assert disk.image.records == [record(1)]


def test_power_cut_keeps_everything_that_was_synced() -> None:
    for seed in range(50):
        disk = Disk()
        disk.put(("f",), 1)
        disk.stage(record(1))
        disk.sync(1)
        disk.drop(("g",))
        disk.put(("f",), 2)
        disk.power_cut(stream(seed))
        assert disk.image.records == [record(1)]
        assert disk.image.files[("f",)] in (1, 2)


def test_power_cut_keeps_a_beginning_of_the_new_records_and_any_of_the_new_files() -> None:
    journals, files = set(), set()
    for seed in range(200):
        disk = Disk()
        for k in range(3):
            disk.append(record(k))
            disk.put((k,), k)
        disk.power_cut(stream(seed))
        assert disk.image.records == [record(k) for k in range(len(disk.image.records))]
        journals.add(len(disk.image.records))
        files.add(tuple(sorted(key[0] for key in disk.image.files)))
    assert journals == {0, 1, 2, 3}
    assert len(files) == 8


def test_no_record_survives_a_power_cut_without_the_files_it_was_staged_behind() -> None:
    seen = set()
    for seed in range(100):
        disk = Disk()
        disk.put(("f",), 1)
        disk.stage(Started(A, ItemId("0"), (1, 1)))
        disk.power_cut(stream(seed))
        if disk.image.records:
            assert disk.image.files == {("f",): 1}
        seen.add(bool(disk.image.records))
    assert seen == {True, False}


def links(weather: Weather | None = None, seed: int = 1) -> Links:
    return Links({(X, Y): TransferModel(0.01, 1e-6)}, weather, stream(seed))


def test_link_sends_one_thing_after_the_other_and_small_words_do_not_wait() -> None:
    fair = links()
    assert fair.arrivals(X, Y, 1e6, 0.0) == [pytest.approx(1.01)]
    assert fair.arrivals(X, Y, 1e6, 0.0) == [pytest.approx(2.01)]
    assert fair.arrivals(X, Y, 0, 0.0) == [pytest.approx(0.01)]


def test_bad_weather_loses_doubles_and_delays() -> None:
    bad = links(Weather(loss=0.2, doubled=0.2, jitter_s=0.5))
    arrivals = [bad.arrivals(X, Y, 0, 0.0) for _ in range(1000)]
    counts = [sum(len(each) == n for each in arrivals) for n in (0, 1, 2)]
    assert counts[0] == bad.lost == pytest.approx(200, rel=0.3)
    assert counts[2] == bad.doubled == pytest.approx(160, rel=0.3)
    late = [each for times in arrivals for each in times]
    assert min(late) < 0.05
    assert max(late) > 0.4
    assert late != sorted(late)


def test_clogged_link_holds_back_and_cut_link_loses() -> None:
    bad = links()
    bad.clogged_s[X, Y] = 5.0
    assert bad.arrivals(X, Y, 0, 0.0) == [5.0]
    bad.cut[X, Y] = 1
    assert bad.arrivals(X, Y, 0, 0.0) == []


def test_fault_is_read_as_it_is_printed() -> None:
    assert read_fault("cut:x->y@1.5+2", (X, Y)) == InjectedFault("cut", 1.5, 2.0, X, Y)
    assert read_fault("weather@0+10x0.05", (X, Y)) == InjectedFault("weather", 0.0, 10.0, size=0.05)
    assert read_fault("rot:x@1+2", (X,)) == InjectedFault("rot", 1.0, 2.0, X)
    assert read_fault("full:x@1+2x1", (X,)) == InjectedFault("full", 1.0, 2.0, X, size=1.0)
    assert str(read_fault("slow:x@1+2x3", (X, Y))) == "1.000 s +2.000 s slow x x3"


def chain(**kinds: object) -> Simulated:
    plans = (TaskPlan(A, (INGRESS,), (B,), rank=0), TaskPlan(B, (A,), (SINK,), rank=1))
    free = {(s, t): TransferModel(0.0, 0.0) for s in (HOME, X, Y) for t in (HOME, X, Y) if s != t}
    times = {(task, node): 0.1 for task in (A, B) for node in (X, Y)}
    base = Scenario(plans, {A: X, B: Y}, HOME, times, {}, free, 200)
    return simulate(Scenario(**{**vars(base), **kinds}))


def test_run_times_vary_around_their_median_by_the_spread_that_was_asked_for() -> None:
    found = chain(spread={A: 0.5}, seed=3)
    seconds = {
        task: [each.finish_s - each.execute_s for each in found.tasks if each.task == task]
        for task in (A, B)
    }
    assert statistics.median(seconds[A]) == pytest.approx(0.1, rel=0.15)
    assert statistics.stdev(seconds[A]) / statistics.mean(seconds[A]) == pytest.approx(0.5, rel=0.3)
    assert {round(each, 9) for each in seconds[B]} == {0.1}
    assert found == chain(spread={A: 0.5}, seed=3)
    assert found != chain(spread={A: 0.5}, seed=4)


def test_node_that_vanishes_costs_no_item_where_another_can_take_its_tasks() -> None:
    found = chain(faults=(InjectedFault("vanish", 3.0, node=Y),))
    assert len(found.items) == 200
    assert all(item.status == "done" for item in found.items)
    assert {each.node for each in found.tasks if each.task == B} == {X, Y}


def test_death_that_is_noticed_at_once_costs_less_time() -> None:
    found = chain(faults=(InjectedFault("crash", 3.0, 10.0, Y),))
    moved = [each.execute_s for each in found.tasks if each.task == B and each.node == X]
    assert min(moved) < 3.5


def test_file_that_cannot_be_read_is_made_again() -> None:
    faults = [InjectedFault("rot", k / 2, 0.4, node) for k in range(30) for node in (X, Y)]
    found = chain(faults=tuple(faults))
    assert all(item.status == "done" for item in found.items)
    assert len(found.transfers) > len(chain().transfers)


def test_accepted_input_that_cannot_be_read_fails_its_item_and_no_other() -> None:
    faults = [InjectedFault("rot", k / 2, 0.4, HOME) for k in range(30)]
    faults += [InjectedFault("crash", 1.5 + k, 0.2, X) for k in range(15)]
    found = chain(faults=tuple(faults))
    failed = [item for item in found.items if item.status != "done"]
    assert 0 < len(failed) < 30
    assert all("cannot be read" in item.detail for item in failed)
    assert len(found.items) == 200


def test_full_disk_costs_time_and_no_item() -> None:
    found = chain(faults=(InjectedFault("full", 3.0, 5.0, Y),))
    assert all(item.status == "done" for item in found.items)
    assert not [each for each in found.transfers if each.target == Y and 3.0 < each.arrive_s < 8.0]
    errors = [each.detail for each in found.tasks if each.status == "failed"]
    assert errors
    assert set(errors) == {"no space left on the disk"}
    assert found.prediction.makespan_s > chain().prediction.makespan_s + 4


def test_home_with_a_full_disk_accepts_nothing() -> None:
    found = chain(faults=(InjectedFault("full", 3.0, 5.0, HOME),))
    assert all(item.status == "done" for item in found.items)
    assert not [item for item in found.items if 3.0 < item.accepted_s < 8.0]


def test_rotten_file_is_sound_again_when_it_is_written_again() -> None:
    disk = Disk()
    disk.put(("f",), 1)
    disk.sync()
    disk.rotten.add(("f",))
    disk.power_cut(stream(1, "disk"))
    assert disk.rotten == {("f",)}
    disk.put(("f",), 2)
    assert not disk.rotten


def test_rewritten_journal_survives_a_power_cut() -> None:
    disk = Disk()
    for number in (1, 2):
        disk.append(record(number))
    disk.rewrite([record(2)])
    disk.power_cut(stream(1, "disk"))
    assert disk.image.records == [record(2)]


@pytest.mark.parametrize("is_synced", [True, False])
def test_record_waits_until_a_full_disk_has_room(is_synced: bool) -> None:
    world, disk = World(links(), None), Disk()  # type: ignore[arg-type]
    told: list[ev.Event] = []
    writer = Writer(world, disk, 0.01, told.append, lambda: world.now < 1)
    for number in (1, 2):
        assert not writer.persist(act.Persist(record(number), is_synced))
    world.run(0.9)
    assert told == []
    assert disk.image.records == []
    world.run(2.0)
    assert disk.image.records == [record(1), record(2)]
    assert told == [ev.Kept(record(1)), ev.Kept(record(2))]
    assert writer.persist(act.Persist(record(3), False))


def test_writer_forgets_with_its_process_what_it_had_not_written() -> None:
    world, disk = World(links(), None), Disk()  # type: ignore[arg-type]
    writer = Writer(world, disk, 0.01, lambda event: pytest.fail(str(event)), lambda: True)
    for is_synced in (True, False):
        writer.persist(act.Persist(record(1), is_synced))
    writer.crash()
    disk.crash()
    world.run()
    assert disk.image.records == []
