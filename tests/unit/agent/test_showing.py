"""The order in which results are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupiter.agent import run as run_module
from jupiter.agent.cells import Cells, find_trees
from jupiter.agent.environments import Environments
from jupiter.agent.place import Place
from jupiter.agent.run import AgentRun
from jupiter.agent.workers import House, WorkerPool
from jupiter.model import actions as act
from jupiter.model import events as ev
from jupiter.model import messages as msg
from jupiter.model import records as rec
from jupiter.model.ids import SINK, NodeId, TaskId
from jupiter.model.items import Delivery, Part, TaskPlan

from .conftest import turns

HOME, T = NodeId("home"), TaskId("t")
BODY = b"x" * 40_000


class Alone:
    """An agent whose run tells nobody anything."""

    def __getattr__(self, name: str) -> Any:
        return lambda *words: None


@pytest.fixture
def run(small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AgentRun:
    """Return a run of home's whose results lie on a small disk."""
    monkeypatch.setattr(run_module, "FULL_WAIT_S", 0.005)
    prepare = msg.Prepare(
        id=1,
        run="r",
        bundle="b",
        home=HOME,
        tasks=(TaskPlan(T, (), (SINK,)),),
        code=(),
        mapping={T: HOME},
        members={HOME: 1},
        incarnation=1,
        in_flight_max=4,
        results_dir=str(small_disk),
    )
    house = House(Cells(find_trees()), Environments(tmp_path / "environments"))
    pool = WorkerPool((), tmp_path, tmp_path / "work", inputs=(), outputs=(), house=house)
    return AgentRun(prepare, Place(HOME, 1, tmp_path / "run", 1, 1), pool, Alone())


async def test_what_needs_no_room_waits_for_what_was_decided_before(
    run: AgentRun, small_disk: Path
) -> None:
    given = Delivery("", 0, (0,), T, SINK, (Part("o", len(BODY)),), epoch=1)
    for path in run._spool.open_inputs(given):
        Path(path).write_bytes(BODY)
    run._is_stepping = True  # what is shown is not told on, so that it can be seen
    filler = small_disk / "filler"
    filler.write_bytes(BODY)
    first = rec.Committed(1, (rec.Ending(0, "done", "", ("o",)),), ((given, ("o",)),))
    run._publish(act.Publish(first))
    run._publish(act.Publish(rec.Committed(2, (rec.Ending(1, "filtered", "", ()),), ())))
    assert list(run._events) == []
    filler.unlink()
    await turns(lambda: len(run._events) == 2)
    assert list(run._events) == [ev.Shown(1), ev.Shown(2)]
    assert (small_disk / "o").read_bytes() == BODY
    assert [path.name for path in small_disk.iterdir()] == ["o"]
