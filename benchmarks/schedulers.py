"""How fast is HEFT: ours against SAGA's, names to numbers and back included, in one run.

    make bench BENCH=benchmarks/schedulers.py

Related machines, random layered graphs with about 3 edges a task, all nodes joined. Times are the
least of several calls with new objects each; SAGA gets the same problem in its own objects, whose
making is not counted. `--full` adds a million tasks, `--saga-tasks` says how many SAGA has to do.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from jupiter.model.graph import TaskGraph
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.model.transfer import TransferModel
from jupiter.schedulers.heft import heft
from jupiter.schedulers.warm_up import warm_up
from jupiter.schedulers.workbench import forced

SIZES = ((100, 64), (1_000, 64), (3_000, 64), (10_000, 64), (30_000, 64), (100_000, 100))
FULL = (1_000_000, 100)
PURE_MAX = 10_000
GOALS_S = {(10_000, 64): 0.025, (100_000, 100): 1.0, (1_000_000, 100): 15.0}
PURE_GOAL_S = 0.25


def make(tasks: int, nodes: int, seed: int = 0) -> Problem:
    """A random layered graph; parents are in one of the two layers before."""
    draw = random.Random(seed)
    names = [TaskId(f"t{k}") for k in range(tasks)]
    width = max(1, round(tasks**0.5))
    children: list[dict[TaskId, None]] = [{} for _ in names]
    for task in range(width, tasks):
        low = max(0, task - task % width - 2 * width)
        for _ in range(draw.randint(1, 5)):
            children[draw.randrange(low, task - task % width)][names[task]] = None
    graph = TaskGraph({name: tuple(found) for name, found in zip(names, children, strict=True)})
    machines = tuple(NodeId(f"n{k}") for k in range(nodes))
    return Problem(
        graph=graph,
        nodes=machines,
        links={
            (a, b): TransferModel(0.0, draw.uniform(0.5, 1.5))
            for a in machines
            for b in machines
            if a != b
        },
        work_s={name: draw.uniform(0.1, 1.9) for name in names},
        edge_bytes={edge: draw.uniform(0.1, 1.9) for edge in graph.edges},
        speed={node: draw.uniform(0.5, 1.5) for node in machines},
    )


def least_s(call: Callable[[], Schedule], times: int) -> tuple[float, Schedule]:
    """The least seconds of some calls, and what the last one gave."""
    found = []
    for _ in range(times):
        gc.collect()
        start = time.perf_counter()
        schedule = call()
        found.append(time.perf_counter() - start)
    return min(found), schedule


def floor_ns() -> float:
    """Nanoseconds a (task or edge) x node that this machine needs at least: a plain relax loop."""
    rows = np.random.default_rng(0).random((1000, 64))
    best = np.zeros(64)
    out = np.empty(64)
    start = time.perf_counter()
    for _ in range(20):
        for row in rows:
            np.add(row, 1.5, out=out)
            np.maximum(best, out, out=best)
    loop_ns = (time.perf_counter() - start) / 20 / rows.size * 1e9
    # numpy's calls cost more than the work on 64 numbers; one call over all shows the work alone.
    wide = np.zeros_like(rows)
    start = time.perf_counter()
    for _ in range(50):
        np.maximum(wide, rows + 1.5, out=wide)
    return min(loop_ns, (time.perf_counter() - start) / 50 / rows.size * 1e9)


def saga_s(problem: Problem) -> tuple[float, float]:
    """Seconds of SAGA's HEFT on the same problem, and its makespan."""
    import saga
    from saga.schedulers import HeftScheduler

    network = saga.Network.create(
        nodes=[(node, problem.speed[node]) for node in problem.nodes],
        edges=[(a, b, 1.0 / model.busy_s(1.0)) for (a, b), model in problem.links.items() if a < b],
    )
    graph = saga.TaskGraph.create(
        tasks=[(task, problem.work_s[task]) for task in problem.graph.tasks],
        dependencies=[(e.source, e.target, problem.size_bytes(e)) for e in problem.graph.edges],
    )
    start = time.perf_counter()
    found = HeftScheduler().schedule(network, graph)
    return time.perf_counter() - start, found.makespan


FRESH = """
import sys, time
import jupiter
from benchmarks_schedulers import make
problem = make(300, 16)
jupiter.schedule
start = time.perf_counter()
schedule = jupiter.schedule(problem, "heft")
print(time.perf_counter() - start, "numba" in sys.modules, "numpy" in sys.modules)
"""


def fresh_process() -> tuple[float, bool]:
    """Seconds of a first schedule of 300 tasks on 16 nodes, and whether numba was imported."""
    code = FRESH.replace(
        "from benchmarks_schedulers import make",
        "from importlib.util import spec_from_file_location, module_from_spec\n"
        f"spec = spec_from_file_location('b', {__file__!r})\n"
        "source = open(spec.origin).read()\n"
        "names = {}\n"
        "start, end = source.index('def make('), source.index('def least_s(')\n"
        "head = '\\n'.join(l for l in source.splitlines() if l.startswith('from jupiter.model') "
        "or l == 'import random')\n"
        "exec(head + '\\n' + source[start:end], names)\n"
        "make = names['make']",
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    ).stdout.split()
    return float(out[0]), out[1] == "True"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--saga-tasks", type=int, default=3_000)
    options = parser.parse_args()
    warm_up()
    floor = floor_ns()
    table = Table(title="HEFT, objects to objects")
    for column in (
        "tasks x nodes",
        "edges",
        "compiled",
        "tasks/s",
        "ns/pair",
        "floor",
        "pure",
        "goal",
        "SAGA",
        "ratio",
    ):
        table.add_column(column, justify="right")
    logs: list[tuple[float, float]] = []
    for tasks, nodes in (*SIZES, *([FULL] if options.full else [])):
        problem = make(tasks, nodes)
        edges = len(problem.graph.edges)
        times = 9 if tasks <= 10_000 else 2
        with forced(is_compiled=True):
            ours_s, fast = least_s(lambda: heft(problem), times)  # noqa: B023
        pure_text = ""
        if tasks <= PURE_MAX:
            with forced(is_compiled=False):
                pure_s, slow = least_s(lambda: heft(problem), 3)  # noqa: B023
            assert slow == fast, "the two forms differ"
            pure_text = f"{pure_s:.4f}"
        pairs = (tasks + edges) * nodes
        logs.append((math.log(pairs), math.log(ours_s)))
        saga_text = ratio = ""
        if tasks <= min(options.saga_tasks, 3_000):
            theirs_s, makespan = saga_s(problem)
            saga_text = f"{theirs_s:.3g}"
            ratio = f"{theirs_s / ours_s:,.0f} x"
            print(f"  makespan ours {fast.makespan_s:.4g}, SAGA {makespan:.4g}", file=sys.stderr)
        goal = GOALS_S.get((tasks, nodes))
        table.add_row(
            f"{tasks:,} x {nodes}",
            f"{edges:,}",
            f"{ours_s:.5f} s",
            f"{tasks / ours_s:,.0f}",
            f"{ours_s / pairs * 1e9:.2f}",
            f"{floor * pairs * 1e-9 / ours_s:.0%}",
            pure_text,
            f"{goal:g} s" if goal else "",
            saga_text,
            ratio,
        )
    Console(width=120).print(table)
    large = logs[2:]
    slope = statistics.linear_regression([x for x, _ in large], [y for _, y in large]).slope
    print(f"growth: time ~ ((tasks + edges) x nodes) ^ {slope:.2f} from 3,000 tasks on (goal <= 1)")
    print(
        f"floor: {floor:.2f} ns a pair on this machine; "
        f"goal without compiled code at 10,000 x 64: {PURE_GOAL_S} s"
    )
    first_s, has_numba = fresh_process()
    print(
        f"fresh process, 300 x 16: {first_s * 1e3:.1f} ms (goal < 20), numba imported: {has_numba}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
