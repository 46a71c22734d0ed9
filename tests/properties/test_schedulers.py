"""Promises of every scheduler over random problems."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jupiter.errors import SchedulingError
from jupiter.model.graph import Edge, TaskGraph
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.model.transfer import QuadraticTransfer, TableTransfer, TransferModel
from jupiter.schedulers import improve
from jupiter.schedulers.base import SCHEDULERS, SLOW, Scheduler, find_scheduler
from jupiter.schedulers.bounds import makespan_bound_s, period_bound_s
from jupiter.schedulers.check import check_schedule
from jupiter.schedulers.exhaustive import exhaustive
from jupiter.schedulers.generate import ProblemShape, random_problem
from jupiter.schedulers.kernels import proof
from jupiter.schedulers.workbench import forced

Key = TypeVar("Key")
Value = TypeVar("Value")

RELATIVE = 1 + 1e-9
ABSOLUTE_S = 1e-12
"""Times of an execution that is much shorter than what came before it are rounded away."""
FAST = [name for name in SCHEDULERS.built_in if name not in SLOW]
COPYING = ("heft-duplication",)
"""May run a task twice, so it can beat every schedule that may not."""
HASH_SEEDS = ("0", "1", "2", "77", "4242")

pytestmark = pytest.mark.usefixtures("short_search")


@pytest.fixture(scope="module")
def short_search() -> Iterator[None]:
    """A few steps show whether a schedule is valid as well as thousands do."""
    patch = pytest.MonkeyPatch()
    patch.setattr(improve, "STEPS", 80)
    patch.setattr(proof, "STEPS_MAX", 400)
    yield
    patch.undo()


seconds = st.one_of(
    st.integers(0, 5).map(float), st.floats(0, 10, allow_subnormal=False), st.just(0.1)
)


affine = st.builds(TransferModel, seconds, st.sampled_from([0.0, 0.1, 1.0]))
any_link = st.one_of(
    affine,
    st.builds(
        QuadraticTransfer, seconds, st.sampled_from([-1.0, 0.1]), st.sampled_from([0.0, -1.0])
    ),
    st.builds(lambda low, high: TableTransfer(((0.0, low), (2.0, high))), seconds, seconds),
)


@st.composite
def problems(draw: st.DrawFn, tasks_max: int, nodes_max: int) -> Problem:
    """Any graph, execution times with gaps, missing links, pins, several cores."""
    tasks = [TaskId(f"t{k}") for k in range(draw(st.integers(1, tasks_max)))]
    nodes = [NodeId(f"n{k}") for k in range(draw(st.integers(1, nodes_max)))]
    pairs = [(a, b) for k, a in enumerate(tasks) for b in tasks[k + 1 :]]
    children: dict[TaskId, list[TaskId]] = {task: [] for task in draw(st.permutations(tasks))}
    for a, b in draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else ():
        children[a].append(b)
    graph = TaskGraph({task: tuple(found) for task, found in children.items()})
    is_full = draw(st.booleans())
    execution_s = {
        (task, node): draw(seconds)
        for task in tasks
        for node in nodes
        if is_full or draw(st.integers(0, 3))
    }
    is_joined = draw(st.booleans())
    is_affine = draw(st.booleans())
    links = {
        (a, b): draw(affine if is_affine else any_link)
        for a in nodes
        for b in nodes
        if a != b and (is_joined or draw(st.booleans()))
    }
    pinned = draw(st.dictionaries(st.sampled_from(tasks), st.sampled_from(nodes), max_size=2))
    limits: dict[str, object] = {}
    if draw(st.integers(0, 3)) == 0:
        limits["tasks_max"] = {node: draw(st.integers(1, len(tasks))) for node in nodes}
        limits["memory_bytes"] = {task: draw(st.sampled_from([0.0, 1.0, 2.0])) for task in tasks}
        limits["node_memory_bytes"] = {node: draw(st.sampled_from([2.0, 5.0])) for node in nodes}
    if draw(st.integers(0, 3)) == 0:
        limits["work_s"] = {task: draw(seconds) for task in tasks}
        limits["speed"] = {node: draw(st.sampled_from([0.5, 1.0, 3.0])) for node in nodes}
        execution_s = {} if draw(st.booleans()) else execution_s
        limits["forbidden"] = {tasks[0]: frozenset(nodes[1:2])} if draw(st.booleans()) else {}
        limits["release_s"] = draw(st.sampled_from([0.0, 2.5]))
    return Problem(
        **limits,  # type: ignore[arg-type]
        graph=graph,
        nodes=tuple(nodes),
        execution_s=execution_s,
        edge_bytes={edge: draw(st.sampled_from([0.0, 1.0, 7.5])) for edge in graph.edges},
        links=links,
        cores={node: draw(st.integers(1, 3)) for node in nodes},
        pinned=pinned,
    )


shapes = st.builds(
    ProblemShape,
    tasks=st.integers(1, 60),
    nodes=st.integers(1, 8),
    parents_mean=st.sampled_from([1.0, 2.0, 3.2]),
    ccr=st.sampled_from([0.1, 1.0, 10.0]),
    heterogeneity=st.sampled_from([0.0, 1.0, 1.9]),
    links=st.sampled_from([0.4, 0.8, 1.0]),
    runs=st.sampled_from([0.6, 1.0]),
    cores_max=st.integers(1, 4),
    pinned=st.integers(0, 3),
)
sized_problems = st.one_of(
    problems(12, 5), st.builds(random_problem, shapes, st.integers(0, 10**6))
)


def scheduled(scheduler: Scheduler, problem: Problem, seed: int = 0) -> Schedule | None:
    try:
        return scheduler(problem, seed=seed)
    except SchedulingError as error:
        assert any(word in str(error) for word in ("task ", "mapping", "node"))
        return None


@pytest.mark.parametrize("name", FAST)
@given(problem=sized_problems, seed=st.integers(0, 3))
@settings(deadline=None)
def test_every_schedule_is_valid_and_above_the_bounds(
    name: str, problem: Problem, seed: int
) -> None:
    schedule = scheduled(find_scheduler(name), problem, seed)
    assume(schedule is not None)
    assert schedule is not None
    assert check_schedule(problem, schedule) == []
    assert schedule.makespan_s * RELATIVE + ABSOLUTE_S >= makespan_bound_s(problem)
    assert schedule == find_scheduler(name)(problem, seed=seed)


@given(problem=problems(5, 3))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_nothing_beats_trying_everything_and_nothing_is_missed_by_it(problem: Problem) -> None:
    best = scheduled(exhaustive, problem)
    for name in FAST:
        found = None if name in COPYING else scheduled(find_scheduler(name), problem)
        if found is not None:
            assert best is not None
            assert best.makespan_s <= found.makespan_s * RELATIVE + ABSOLUTE_S
    if best is not None:
        assert check_schedule(problem, best) == []
        assert best.makespan_s * RELATIVE + ABSOLUTE_S >= makespan_bound_s(problem)


@pytest.mark.parametrize("name", FAST)
@given(problem=sized_problems, seed=st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_machine_code_gives_the_same_answers(name: str, problem: Problem, seed: int) -> None:
    with forced(is_compiled=False):
        pure = scheduled(find_scheduler(name), problem, seed)
    with forced(is_compiled=True):
        fast = scheduled(find_scheduler(name), problem, seed)
    assert pure == fast


@given(problem=problems(5, 3))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_heft_finds_a_schedule_wherever_a_tiny_problem_has_one(problem: Problem) -> None:
    assume(not problem.tasks_max and scheduled(exhaustive, problem) is not None)
    assert scheduled(find_scheduler("heft"), problem) is not None


@pytest.mark.parametrize("name", FAST)
@given(problem=sized_problems)
@settings(deadline=None)
def test_names_decide_nothing(name: str, problem: Problem) -> None:
    scheduler = find_scheduler(name)
    schedule = scheduled(scheduler, problem)
    task_names, node_names, renamed = _renamed(problem)
    again = scheduled(scheduler, renamed)
    assert (schedule is None) == (again is None)
    if schedule is not None and again is not None:
        expected = [
            (task_names[each.task], node_names[each.node], each.start_s, each.finish_s)
            for each in schedule.assignments
        ]
        assert expected == [
            (each.task, each.node, each.start_s, each.finish_s) for each in again.assignments
        ]


def _renamed(problem: Problem) -> tuple[dict[TaskId, TaskId], dict[NodeId, NodeId], Problem]:
    """Return a problem in which alphabetical order is turned round."""
    tasks = {t: TaskId(f"x{9999 - k}") for k, t in enumerate(problem.graph.tasks)}
    nodes = {n: NodeId(f"y{9999 - k}") for k, n in enumerate(problem.nodes)}
    return (
        tasks,
        nodes,
        Problem(
            graph=TaskGraph(
                {tasks[t]: tuple(tasks[c] for c in cs) for t, cs in problem.graph.children.items()}
            ),
            nodes=tuple(nodes.values()),
            execution_s={(tasks[t], nodes[n]): s for (t, n), s in problem.execution_s.items()},
            edge_bytes={
                Edge(tasks[e.source], tasks[e.target]): b for e, b in problem.edge_bytes.items()
            },
            links={(nodes[a], nodes[b]): m for (a, b), m in problem.links.items()},
            cores={nodes[n]: c for n, c in problem.cores.items()},
            pinned={tasks[t]: nodes[n] for t, n in problem.pinned.items()},
            work_s={tasks[t]: s for t, s in problem.work_s.items()},
            speed={nodes[n]: s for n, s in problem.speed.items()},
            forbidden={
                tasks[t]: frozenset(nodes[n] for n in ns) for t, ns in problem.forbidden.items()
            },
            memory_bytes={tasks[t]: b for t, b in problem.memory_bytes.items()},
            node_memory_bytes={nodes[n]: b for n, b in problem.node_memory_bytes.items()},
            tasks_max={nodes[n]: k for n, k in problem.tasks_max.items()},
            release_s=problem.release_s,
        ),
    )


@pytest.mark.parametrize("name", FAST)
@given(problem=problems(8, 4))
@settings(deadline=None)
def test_the_order_of_mappings_decides_nothing(name: str, problem: Problem) -> None:
    turned = replace(
        problem,
        execution_s=_backwards(problem.execution_s),
        edge_bytes=_backwards(problem.edge_bytes),
        links=_backwards(problem.links),
        cores=_backwards(problem.cores),
        pinned=_backwards(problem.pinned),
    )
    scheduler = find_scheduler(name)
    assert scheduled(scheduler, problem) == scheduled(scheduler, turned)


def _backwards(mapping: Mapping[Key, Value]) -> dict[Key, Value]:
    return dict(reversed(list(mapping.items())))


@given(problem=problems(6, 3), items=st.integers(1, 4))
@settings(deadline=None)
def test_no_mapping_loads_its_busiest_node_or_link_less_than_the_period_bound(
    problem: Problem, items: int
) -> None:
    schedule = scheduled(find_scheduler("random"), problem, items)
    assume(schedule is not None)
    assert schedule is not None
    assert _period_s(problem, schedule) * RELATIVE + ABSOLUTE_S >= period_bound_s(problem)


def _period_s(problem: Problem, schedule: Schedule) -> float:
    """Return the load of the busiest node or link, by the mapping alone."""
    load: dict[object, float] = {}
    for task, node in schedule.mapping.items():
        share = (problem.seconds(task, node) or 0.0) / problem.cores.get(node, 1)
        load[node] = load.get(node, 0.0) + share
    for edge in problem.graph.edges:
        pair = schedule.mapping[edge.source], schedule.mapping[edge.target]
        if pair[0] != pair[1]:
            seconds = problem.links[pair].busy_s(problem.size_bytes(edge))
            load[pair] = load.get(pair, 0.0) + seconds
    return max(load.values(), default=0.0)


PRINT_SCHEDULES = """
from jupiter.schedulers import improve
from jupiter.schedulers.base import SCHEDULERS, SLOW, find_scheduler
from jupiter.schedulers.generate import ProblemShape, random_problem
improve.STEPS = 40
names = [n for n in SCHEDULERS.built_in if n not in SLOW]
for seed in range(4):
    for tasks, name in ((6, "exhaustive"), *((40, n) for n in names)):
        shape = ProblemShape(tasks, 3, heterogeneity=0.0, cores_max=2, pinned=2, links=0.9)
        try:
            print(find_scheduler(name)(random_problem(shape, seed), seed=seed))
        except Exception as error:
            print(repr(error))
"""


def test_the_hash_seed_of_python_decides_nothing() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PRINT_SCHEDULES],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in HASH_SEEDS
    }
    assert len(outputs) == 1
    assert "Assignment" in next(iter(outputs))
