"""Streams whose agents are killed or stand still: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import psutil
import pytest
from tests.functional.streams import (
    DIAMOND,
    MERGE,
    ONE,
    SPREAD,
    WORK,
    Killer,
    WatchedEngine,
    expected_texts,
    mapped,
    stream,
)

from jupiter.agent.agent import AgentConfig
from jupiter.engines.local import LocalEngine
from jupiter.errors import AgentError, RunError
from jupiter.interfaces.engine import AgentHandle
from jupiter.model.ids import NodeId
from jupiter.model.network import Node
from jupiter.orchestrator.inputs import find_inputs
from jupiter.settings import RunSettings


@pytest.mark.parametrize("after", [1, 25, 60])
def test_agent_of_a_worker_that_is_killed_costs_no_item(
    make_app: Callable[..., Path],
    cluster: Path,
    inputs: Path,
    tmp_path: Path,
    mark: str,
    after: int,
) -> None:
    app = make_app(DIAMOND, work=WORK, merge=MERGE)
    engine = WatchedEngine()
    items = find_inputs([inputs]) * 4
    run = stream(
        app,
        cluster,
        items,
        mapped(**SPREAD),
        tmp_path / "out",
        on_item=Killer(engine, ("n2", after)),
        engine=engine,
    )
    assert [item.status for item in run.items] == ["done"] * 120
    names = [name for item in run.items for name in item.results]
    assert len(names) == len(set(names)) == 120
    assert len(list((tmp_path / "out").iterdir())) == 120
    assert [(tmp_path / "out" / name).read_text() for name in names] == expected_texts(items)
    assert run.notes[0].startswith("the agent of node n2 was lost after ")


class Stillborn(LocalEngine):
    """The first agents of a node die at a point."""

    def __init__(self, node: str, point: str, times: int) -> None:
        super().__init__()
        self._node = node
        self._point = point
        self._left = times

    async def _start_one(self, config: AgentConfig) -> AgentHandle:
        if config.node == self._node and self._left:
            self._left -= 1
            config = msgspec.structs.replace(config, failpoint=self._point)
        return await super()._start_one(config)


@pytest.mark.parametrize("durability", ["none", "ingress"])
@pytest.mark.parametrize(
    ("node", "point"),
    [
        ("home", "bundle.file"),
        ("home", "run.prepare"),
        ("home", "run.prepared"),
        ("n2", "bundle.file"),
        ("n2", "run.prepare"),
        ("n2", "run.prepared"),
    ],
)
def test_agents_that_die_of_their_first_orders_are_given_them_again(
    make_app: Callable[..., Path],
    cluster: Path,
    inputs: Path,
    tmp_path: Path,
    durability: Literal["none", "ingress"],
    node: str,
    point: str,
) -> None:
    app = make_app(DIAMOND, work=WORK, merge=MERGE)
    items = find_inputs([inputs])
    run = stream(
        app,
        cluster,
        items,
        mapped(**SPREAD),
        tmp_path / "out",
        settings=RunSettings(durability=durability),
        engine=Stillborn(node, point, 2),
    )
    assert [item.status for item in run.items] == ["done"] * 30
    names = [name for item in run.items for name in item.results]
    assert [(tmp_path / "out" / name).read_text() for name in names] == expected_texts(items)


@pytest.mark.parametrize("node", ["home", "n2"])
def test_agents_that_always_die_of_their_first_orders_end_the_run(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, node: str
) -> None:
    app = make_app(DIAMOND, work=WORK, merge=MERGE)
    with pytest.raises(AgentError, match=f"the agent of node {node} is gone: .*SIGKILL"):
        stream(
            app,
            cluster,
            find_inputs([inputs]),
            mapped(**SPREAD),
            tmp_path / "out",
            engine=Stillborn(node, "run.prepare", 1000),
        )


class Hurried(LocalEngine):
    """The start of an agent is cancelled some turns of the loop after the agent has spoken."""

    async def start_and_cancel(self, config: AgentConfig, turns: int) -> bool:
        """Return whether the start was under way still."""
        starting = asyncio.ensure_future(self._start_one(config))
        while not self._has_spoken(config.node):  # noqa: ASYNC110 - turns are meant
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        is_cancelled = starting.cancel()
        await asyncio.wait({starting})
        assert starting.cancelled() == is_cancelled
        return is_cancelled

    def _has_spoken(self, node: NodeId) -> bool:
        process = self._processes.get(node)
        output = process._child.stdout if process is not None and process._child else None
        return output is not None and bool(output._buffer)  # type: ignore[attr-defined]


async def test_start_of_an_agent_can_be_cancelled_at_any_moment(tmp_path: Path) -> None:
    """Else the end of a session waits for ever, where an agent is just started again."""
    found = []
    for turns in (0, 1, 2, 4):
        engine = Hurried(tmp_path / str(turns))
        (tmp_path / str(turns)).mkdir()
        config = engine._config(
            Node(NodeId("n1")), token="00" * 32, slowdown=1.0, cache_bytes=0, identity=None
        )
        try:
            found.append(await engine.start_and_cancel(config, turns))
        finally:
            await engine.stop()
    assert found[0]
    assert not found[-1]


class Pauser:
    """Stops the agent of a node when so many items have ended, and lets it go on later."""

    def __init__(self, engine: WatchedEngine, node: str, after: int, seconds: float) -> None:
        self._engine = engine
        self._node = NodeId(node)
        self._left = after
        self._seconds = seconds

    def __call__(self) -> None:
        self._left -= 1
        if not self._left:
            agent = psutil.Process(self._engine.pid(self._node))
            agent.suspend()
            asyncio.get_running_loop().call_later(self._seconds, agent.resume)


def test_agent_that_stands_still_and_comes_back_costs_no_item_and_changes_none(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, mark: str
) -> None:
    app = make_app(DIAMOND, work=WORK, merge=MERGE)
    engine = WatchedEngine()
    items = find_inputs([inputs]) * 8
    run = stream(
        app,
        cluster,
        items,
        mapped(**SPREAD),
        tmp_path / "out",
        on_item=Pauser(engine, "n2", 20, 2.0),
        engine=engine,
    )
    assert [item.status for item in run.items] == ["done"] * 240
    names = [name for item in run.items for name in item.results]
    assert len(list((tmp_path / "out").iterdir())) == len(set(names)) == 240
    assert [(tmp_path / "out" / name).read_text() for name in names] == expected_texts(items)
    assert run.notes[0] == "node n2 was not heard for 1 s; its tasks moved for a while"
    assert {record.node for record in run.tasks if record.task == "left"} >= {"n2", "n3"}


def test_agent_that_stands_still_for_good_does_not_hold_up_the_run(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, mark: str
) -> None:
    app = make_app(DIAMOND, work=WORK, merge=MERGE)
    engine = WatchedEngine()
    run = stream(
        app,
        cluster,
        find_inputs([inputs]),
        mapped(**SPREAD),
        tmp_path / "out",
        on_item=Pauser(engine, "n2", 5, 3600.0),
        engine=engine,
    )
    assert [item.status for item in run.items] == ["done"] * 30


@pytest.mark.parametrize("durability", ["ingress", "hop"])
@pytest.mark.parametrize(
    "victims",
    [
        [("home", 5), ("home", 40)],
        [("home n1 n2 n3", 30)],
        [("n1", 3), ("n2 n3", 20), ("home", 21), ("n1", 50), ("home", 90)],
    ],
    ids=["home", "all", "in turn"],
)
def test_killed_agents_go_on_where_they_were(
    make_app: Callable[..., Path],
    cluster: Path,
    inputs: Path,
    tmp_path: Path,
    mark: str,
    durability: Literal["ingress", "hop"],
    victims: list[tuple[str, int]],
) -> None:
    app = make_app(DIAMOND, work=WORK, merge=MERGE)
    engine = WatchedEngine()
    items = find_inputs([inputs]) * 4
    killer = Killer(engine, *victims)
    run = stream(
        app,
        cluster,
        items,
        mapped(**SPREAD),
        tmp_path / "out",
        settings=RunSettings(durability=durability),
        on_item=killer,
        engine=engine,
    )
    assert killer.killed == sum(len(nodes.split()) for nodes, _ in victims)
    assert [item.status for item in run.items] == ["done"] * 120
    names = [name for item in run.items for name in item.results]
    assert len(list((tmp_path / "out").iterdir())) == len(names) == len(set(names)) == 120
    assert [(tmp_path / "out" / name).read_text() for name in names] == expected_texts(items)


def test_without_durability_the_loss_of_home_ends_the_run(
    make_app: Callable[..., Path], cluster: Path, inputs: Path, tmp_path: Path, mark: str
) -> None:
    app = make_app(DIAMOND, work=WORK, merge=MERGE)
    engine = WatchedEngine()
    with pytest.raises(RunError, match="the agent of node home is gone"):
        stream(
            app,
            cluster,
            find_inputs([inputs]) * 20,
            mapped(**SPREAD),
            tmp_path / "out",
            settings=RunSettings(durability="none"),
            on_item=Killer(engine, ("home", 5)),
            engine=engine,
        )


@pytest.mark.parametrize("durability", ["none", "ingress"])
def test_the_only_worker_that_is_killed_is_waited_for(
    make_app: Callable[..., Path],
    inputs: Path,
    tmp_path: Path,
    mark: str,
    durability: Literal["none", "ingress"],
) -> None:
    cluster = tmp_path / "cluster.toml"
    cluster.write_text(
        '[defaults]\nlatency = "1 ms"\nbandwidth = "1 Gbit/s"\n'
        '[[node]]\nname = "home"\nrole = "home"\n[[node]]\nname = "n1"\n'
    )
    code = "def only(inputs, output_dir):\n    (output_dir / 'x').touch()\n"
    app = make_app(ONE, work=code)
    engine = WatchedEngine()
    run = stream(
        app,
        cluster,
        find_inputs([inputs]) * 20,
        mapped(only="n1"),
        tmp_path / "out",
        settings=RunSettings(durability=durability),
        on_item=Killer(engine, ("n1", 5), ("n1", 300)),
        engine=engine,
    )
    assert [item.status for item in run.items] == ["done"] * 600
    assert any(note.startswith("the agent of node n1 was lost after") for note in run.notes)
