"""How good are schedules: ours, SAGA's, and the optimum, on the same seeded problems in one run.

    make bench BENCH=benchmarks/quality.py

Geometric means of the makespan over the best known one of each problem. SAGA's schedules are
checked by our checker; those that it refuses are left out and counted.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import saga
from rich.console import Console
from rich.progress import track
from rich.table import Table
from saga import schedulers as theirs

import jupiter
from jupiter.errors import SchedulingError
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Assignment, Schedule
from jupiter.schedulers.base import SCHEDULERS, find_scheduler
from jupiter.schedulers.check import check_schedule
from jupiter.schedulers.families import FAMILIES, FamilyShape, family_problem
from jupiter.schedulers.warm_up import warm_up

RANDOM = ("layered",)
OURS_LEFT_OUT = ("exhaustive", "improve", "throughput", "cp-sat")
DEFAULT = "jupiter (default, {:g} ms)"
BEST_OF_SAGA = "best of all of SAGA's"
PREFIX = "saga "
SAGA_LIMIT_S = 5.0
COPIES = "heft-duplication"
"""It may run a task twice, which the others may not: shown, but no measure for them."""
TINY_TASKS, TINY_NODES = 12, 4


@dataclass
class Instance:
    """One problem and every makespan found for it."""

    shape: FamilyShape
    seed: int
    problem: Problem
    makespans: dict[str, float] = field(default_factory=dict)
    is_proven: bool = False


def instances(count: int) -> list[Instance]:
    """Half of them random layered graphs, the others spread over all other families."""
    made = []
    families = [name for name in FAMILIES if name not in RANDOM]
    sizes, nodes, ccrs, spreads = (
        (8, 12, 20, 30, 45, 60),
        (2, 3, 4, 6, 8),
        (0.1, 0.5, 1, 2, 5, 10),
        (0.5, 1, 4),
    )
    for k in range(count):
        family = RANDOM[0] if k % 2 == 0 else families[(k // 2) % len(families)]
        shape = FamilyShape(
            family=family,
            tasks=sizes[(k // 2) % len(sizes)],
            nodes=nodes[(k // 3) % len(nodes)],
            ccr=ccrs[(k // 5) % len(ccrs)],
            heterogeneity=spreads[(k // 7) % len(spreads)],
        )
        made.append(Instance(shape, k, family_problem(shape, k)))
    return made


def to_saga(problem: Problem) -> tuple[saga.Network, saga.TaskGraph]:
    """The problem in SAGA's words."""
    edges = []
    for (a, b), model in problem.links.items():
        if problem.nodes.index(a) < problem.nodes.index(b):
            seconds = model.busy_s(1.0)
            edges.append((a, b, 1.0 / seconds if seconds else math.inf))
    network = saga.Network.create(
        nodes=[(node, problem.speed[node]) for node in problem.nodes], edges=edges
    )
    graph = saga.TaskGraph.create(
        tasks=[(task, problem.work_s[task]) for task in problem.graph.tasks],
        dependencies=[(e.source, e.target, problem.size_bytes(e)) for e in problem.graph.edges],
    )
    return network, graph


def from_saga(name: str, found: saga.Schedule, known: Iterable[str]) -> Schedule:
    """A schedule of SAGA in our words; virtual ends that it adds are dropped."""
    names = set(known)
    return Schedule(
        name,
        tuple(
            Assignment(TaskId(each.name), NodeId(node), each.start, each.end)
            for node, tasks in found.mapping.items()
            for each in tasks
            if each.name in names
        ),
    )


def saga_schedulers() -> dict[str, object]:
    """Every scheduler of SAGA that needs no further arguments, brute force left out."""
    found = {}
    for name in dir(theirs):
        if name.endswith("Scheduler") and name not in ("BruteForceScheduler", "SMTScheduler"):
            try:
                found[PREFIX + name.removesuffix("Scheduler")] = getattr(theirs, name)()
            except TypeError:
                continue
    return found


def run_saga(instance: Instance, refused: dict[str, int], slow: set[str]) -> None:
    network, graph = to_saga(instance.problem)
    for name, scheduler in saga_schedulers().items():
        if name in slow:
            continue
        start = time.perf_counter()
        try:
            raw = scheduler.schedule(network, graph)
            found = from_saga(name, raw, instance.problem.graph.tasks)
        except Exception:
            refused[name] += 1
            continue
        if time.perf_counter() - start > SAGA_LIMIT_S:
            slow.add(name)
        if check_schedule(instance.problem, found):
            refused[name] += 1
        else:
            instance.makespans[name] = found.makespan_s


def run_ours(instance: Instance, budget_s: float) -> None:
    for name in SCHEDULERS.built_in:
        if name in OURS_LEFT_OUT:
            continue
        found = find_scheduler(name)(instance.problem, seed=instance.seed)
        assert not check_schedule(instance.problem, found), name
        instance.makespans[name] = found.makespan_s
    found = jupiter.schedule(instance.problem, budget_s=budget_s)
    assert not check_schedule(instance.problem, found)
    instance.makespans[DEFAULT.format(budget_s * 1e3)] = found.makespan_s
    instance.is_proven = bool(found.facts.get("optimal"))


def best_known(instance: Instance) -> float:
    """The shortest schedule that runs every task once."""
    return min(value for name, value in instance.makespans.items() if name != COPIES)


def mean_ratio(some: list[Instance], name: str, against: str | None = None) -> float:
    """Geometric mean of a scheduler's makespan over another's, or over the best known."""
    logs = []
    for each in some:
        if name in each.makespans and (against is None or against in each.makespans):
            base = best_known(each) if against is None else each.makespans[against]
            logs.append(math.log(each.makespans[name] / base))
    return math.exp(math.fsum(logs) / len(logs)) if logs else math.nan


def show(all_: list[Instance], refused: dict[str, int], default: str) -> None:
    console = Console(width=110)
    rand = [each for each in all_ if each.shape.family in RANDOM]
    rest = [each for each in all_ if each.shape.family not in RANDOM]
    table = Table(title=f"Makespan over the best known, {len(all_)} problems, geometric means")
    for column in ("scheduler", "all", "random", "other families", "worst", "refused"):
        table.add_column(column, justify="left" if column == "scheduler" else "right")
    names = sorted(
        {name for each in all_ for name in each.makespans}, key=lambda n: mean_ratio(all_, n)
    )
    for name in names:
        worst = max(
            each.makespans[name] / best_known(each) for each in all_ if name in each.makespans
        )
        cells = [f"{mean_ratio(part, name):.3f}" for part in (all_, rand, rest)]
        table.add_row(name, *cells, f"{worst:.2f}", str(refused.get(name, "") or ""))
    console.print(table)
    for text, part, name, against, goal in (
        (
            "default over the best of all of SAGA's, problem by problem",
            all_,
            default,
            BEST_OF_SAGA,
            0.96,
        ),
        ("default over our HEFT, random families", rand, default, "heft", 0.85),
        ("our HEFT over SAGA's HEFT", all_, "heft", PREFIX + "Heft", 1.0),
    ):
        console.print(f"{text}: {mean_ratio(part, name, against):.4f} (goal <= {goal:g})")
    floor = ("heft", "cpop", "peft", "single-node")
    never = sum(
        each.makespans[default] > min(each.makespans[n] for n in floor) * (1 + 1e-9)
        for each in all_
    )
    console.print(f"default worse than min(HEFT, CPOP, PEFT, one node): {never} times (goal 0)")
    console.print(f"SAGA's schedules refused by our checker: {sum(refused.values())}")


def tiny(count: int, budget_s: float) -> None:
    """Proofs and optima on problems of up to 12 tasks on 4 nodes."""
    proven = wrong = checked = 0
    ratios = []
    for k in track(range(count), "tiny problems"):
        family = list(FAMILIES)[k % len(FAMILIES)]
        shape = FamilyShape(
            family, 4 + k % (TINY_TASKS - 3), 2 + k % (TINY_NODES - 1), (0.1, 1, 10)[k % 3]
        )
        problem = family_problem(shape, 10_000 + k)
        if len(problem.graph.tasks) > TINY_TASKS:
            shape = FamilyShape("layered", TINY_TASKS, TINY_NODES, (0.1, 1, 10)[k % 3])
            problem = family_problem(shape, 10_000 + k)
        found = jupiter.schedule(problem, budget_s=budget_s)
        proven += bool(found.facts.get("optimal"))
        try:
            best = find_scheduler("cp-sat")(problem)
        except SchedulingError as error:
            if not checked:
                print(f"no CP-SAT: {error}")
            continue
        if best.facts.get("optimal"):
            checked += 1
            ratios.append(math.log(found.makespan_s / best.makespan_s))
            wrong += found.makespan_s > best.makespan_s * (1 + 1e-5)
    print(f"tiny problems: {count}, proven optimal {proven} ({proven / count:.1%}; goal 97 %)")
    if checked:
        ratio = math.exp(math.fsum(ratios) / checked)
        print(f"against CP-SAT's optimum on {checked}: {ratio:.6f}, worse in {wrong} (goal 0)")


def main() -> int:
    logging.getLogger().setLevel(logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=420)
    parser.add_argument("--tiny", type=int, default=180)
    parser.add_argument("--budget-ms", type=float, default=100.0)
    options = parser.parse_args()
    budget_s = options.budget_ms / 1e3
    warm_up()
    refused: dict[str, int] = defaultdict(int)
    slow: set[str] = set()
    all_ = instances(options.instances)
    for each in track(all_, "problems"):
        run_ours(each, budget_s)
        run_saga(each, refused, slow)
        saga_only = [value for name, value in each.makespans.items() if name.startswith(PREFIX)]
        if saga_only:
            each.makespans[BEST_OF_SAGA] = min(saga_only)
    show(all_, refused, DEFAULT.format(options.budget_ms))
    if slow:
        print(f"left out after taking over {SAGA_LIMIT_S:g} s: {', '.join(sorted(slow))}")
    tiny(options.tiny, budget_s)
    return 0


if __name__ == "__main__":
    sys.exit(main())
