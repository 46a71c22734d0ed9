"""Everything the simulator does in a minute, for the measurement of branch coverage.

Run as a script: ``python streams.py SEEDS MORE ...``: so many from 0 on, and some more.
"""

from __future__ import annotations

import sys

from campaign.play import play
from campaign.scenario import make

from jupiter.control import ingress
from jupiter.control.plan import plan_tasks
from jupiter.model.app import Application, CommandRun, Task
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.transfer import TransferModel
from jupiter.simulator.stream import Scenario, simulate

HOME, X, Y = NodeId("home"), NodeId("x"), NodeId("y")
A, B, C, D = (TaskId(name) for name in "abcd")
LINKS = {(s, t): TransferModel(0.001, 1e-6) for s in (HOME, X, Y) for t in (HOME, X, Y) if s != t}


def diamond(*, is_scatter: bool) -> Application:
    """Return a graph of four tasks."""
    run = CommandRun(("true",))
    return Application(
        "diamond",
        ".",
        (
            Task(A, run, (B, C), route="scatter" if is_scatter else "broadcast"),
            Task(B, run, (D,)),
            Task(C, run, (D,)),
            Task(D, run, is_sink=True),
        ),
    )


def calm(placement: str, *, is_scatter: bool = False) -> None:
    """Stream where nothing goes wrong."""
    plans = plan_tasks(diamond(is_scatter=is_scatter), {B: (X, Y)})
    found = simulate(
        Scenario(
            plans,
            {plan.name: (X, Y)[plan.rank % 2] for plan in plans},
            HOME,
            {(plan.name, node): 0.01 for plan in plans for node in (X, Y)},
            {},
            LINKS,
            items=30,
            placement=placement,
            is_ordered=placement != "static",
        )
    )
    assert len(found.items) == 30
    assert all(item.done_s is not None for item in found.items)


def main() -> None:
    """Let streams flow, in fair weather and in foul."""
    ingress.AGAIN_MAX = 2  # these streams have few items
    for placement in ("static", "least-loaded", "least-loaded-now"):
        calm(placement)
    calm("static", is_scatter=True)
    count, *more = map(int, sys.argv[1:])
    for seed in (*range(count), *more):
        played = play(make(seed))
        assert played.is_good, f"seed {seed}: {played.why}"


if __name__ == "__main__":
    main()
