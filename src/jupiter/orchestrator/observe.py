"""What can be known of a run from outside: from its agents, what home wrote down, and its trace."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal, Self

import msgspec

from jupiter.agent.identity import Identity, is_locked, read_identity
from jupiter.aio.bodies import BodySink
from jupiter.aio.channel import Channel
from jupiter.aio.dial import connect
from jupiter.aio.tls import Tls, derive, is_loopback
from jupiter.errors import TransferError
from jupiter.model import messages as msg
from jupiter.model.ids import NodeId
from jupiter.model.run import ItemRecord
from jupiter.model.status import EntryStatus, NodeStatus, RunStatus
from jupiter.orchestrator.history import read_history, refuse_unless_run
from jupiter.orchestrator.state import State, StateFolder
from jupiter.settings import RunSettings

ANSWER_S_MAX = 2.0
"""An agent that has not answered by then is told of as silent."""
OBSERVER = NodeId("@observer")
LOW_DISK_BYTES = 256 << 20
Phase = Literal["running", "orphaned", "interrupted", "starting", "ended"]
"""``orphaned``: the command is gone and agents go on. ``starting``: nothing is streamed yet."""


class NodeSight(msgspec.Struct, frozen=True):
    """One node, seen from outside.

    Attributes:
        status: What its agent says; None where it says nothing.
        problem: Why not.
    """

    node: NodeId
    status: NodeStatus | None = None
    problem: str = ""


class ItemCounts(msgspec.Struct, frozen=True):
    """What became of the items.

    Attributes:
        inputs: There will ever be; 0 where that is not known.
        accepted: Inputs that became items.
        in_flight: Of them, that have not ended.
        per_s: That ended a second: lately, or on the whole where the run has ended.
    """

    inputs: int = 0
    accepted: int = 0
    in_flight: int = 0
    done: int = 0
    filtered: int = 0
    failed: int = 0
    lost: int = 0
    per_s: float = 0.0

    @property
    def ended(self) -> int:
        """Items that have ended."""
        return self.done + self.filtered + self.failed


class TaskCounts(msgspec.Struct, frozen=True):
    """What became of the attempts of one task on one node."""

    task: str
    node: NodeId
    done: int
    failed: int
    seconds: float


class Sight(msgspec.Struct, frozen=True):
    """A run, seen from outside.

    Attributes:
        output: Its output folder.
        run: Its id.
        phase: See `Phase`.
        nodes: With agents; none where the run has ended.
        items: What became of them.
        tasks: Of a run that has ended.
        wrong: What is not as it should be, one line each.
    """

    output: str
    run: str
    phase: Phase
    items: ItemCounts
    nodes: tuple[NodeSight, ...] = ()
    tasks: tuple[TaskCounts, ...] = ()
    wrong: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        """Whether nothing has failed so far."""
        return self.phase not in ("interrupted", "orphaned") and not (
            self.items.failed or self.items.lost
        )


class Observer:
    """Looks at a run again and again, and changes nothing.

    Args:
        output: Output folder of the run.

    Raises:
        InputError: It is the output folder of no run.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._folder = StateFolder(output)
        self._channels: dict[NodeId, tuple[Identity, Channel]] = {}
        self._answers: dict[int, asyncio.Future[NodeStatus]] = {}
        self._next_id = 0
        self._tls: Tls | None = None
        refuse_unless_run(output)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for _, channel in self._channels.values():
            channel.close()

    async def look(self) -> Sight:
        """Return how the run stands now.

        Raises:
            InputError: What is written down of it cannot be read.
        """
        if not self._folder.path.is_dir():
            return _after_the_end(self._output)
        nodes = self._nodes()
        if not self._folder.exists:
            return Sight(str(self._output), "", "starting", ItemCounts(), tuple(nodes))
        state = self._folder.load()
        asking = (self._ask(state, sight) for sight in nodes)
        nodes = list(await asyncio.gather(*asking))
        return _sight_of(self._output, state, nodes)

    def _nodes(self) -> list[NodeSight]:
        """Return all nodes that ever had an agent, with what is known without asking."""
        root = self._folder.nodes
        folders = sorted(root.iterdir()) if root.is_dir() else []
        return [NodeSight(NodeId(path.name)) for path in folders if path.is_dir()]

    async def _ask(self, state: State, sight: NodeSight) -> NodeSight:
        folder = self._folder.nodes / sight.node
        identity = read_identity(folder)
        if identity is None or not identity.port:
            return msgspec.structs.replace(sight, problem="its agent has not started")
        if not is_locked(folder):
            text = f"its agent is not running (process {identity.pid} has ended)"
            return msgspec.structs.replace(sight, problem=text)
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                status = await self._status(sight.node, identity, state)
        except TimeoutError:
            text = f"its agent (process {identity.pid}) did not answer in {ANSWER_S_MAX:g} s"
            return msgspec.structs.replace(sight, problem=text)
        except (TransferError, ValueError) as error:
            return msgspec.structs.replace(sight, problem=str(error))
        return NodeSight(sight.node, status)

    async def _status(self, node: NodeId, identity: Identity, state: State) -> NodeStatus:
        known = self._channels.get(node)
        if known is None or known[0].life != identity.life or not known[1].is_open:
            address = (identity.host, identity.port)
            channel = await connect(
                self,
                address,
                derive(state.token, "token"),
                OBSERVER,
                "control",
                expected=node,
                tls=self._tls_for(state, identity.host),
            )
            self._channels[node] = identity, channel
        _, channel = self._channels[node]
        self._next_id += 1
        number = self._next_id
        future = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            channel.send(msg.Watch(number))
            status: NodeStatus = await future
            return status
        finally:
            del self._answers[number]

    def _tls_for(self, state: State, host: str) -> Tls | None:
        """Return a certificate as an observer, where agents ask for one."""
        wanted = RunSettings.model_validate_json(state.settings).tls
        if wanted == "off" or (wanted == "auto" and is_loopback(host)):
            return None
        if self._tls is None:
            from jupiter.aio.authority import Authority  # noqa: PLC0415  (slow; needed by few)

            self._tls = Tls(Authority(state.token).issue(OBSERVER, "control"))
        return self._tls

    # -- channel handler -----------------------------------------------------------------------

    def on_message(self, channel: Channel, message: msg.AnyMessage, body: bytes) -> None:
        """Take an answer."""
        match message:
            case msg.Watched(id=number, status=status):
                if number in self._answers and not self._answers[number].done():
                    self._answers[number].set_result(status)
            case msg.Failure(id=number, reason=reason):
                if number in self._answers and not self._answers[number].done():
                    self._answers[number].set_exception(TransferError(reason))
            case _:
                raise TransferError(f"an observer is not told {type(message).__name__}")

    def on_long_message(self, channel: Channel, message: msg.AnyMessage, size: int) -> BodySink:
        """Refuse: observers get no files."""
        raise TransferError(f"{type(message).__name__} has no body")

    def on_closed(self, channel: Channel, reason: str) -> None:
        """Note that an agent has gone; it is looked for again with the next look."""


# -- while it runs ---------------------------------------------------------------------------------


def _sight_of(output: Path, state: State, nodes: list[NodeSight]) -> Sight:
    entry: EntryStatus | None = None
    for _, run in _runs(nodes, state.run):
        entry = run.entry or entry
    answers = [sight.status for sight in nodes if sight.status is not None]
    phase: Phase = "interrupted"
    if answers:
        phase = "running" if any(each.has_home for each in answers) else "orphaned"
    if entry is not None:
        ended = entry.ended
        items = ItemCounts(
            inputs=len(state.inputs),
            accepted=entry.accepted,
            in_flight=entry.accepted - sum(ended.values()),
            done=ended.get("done", 0),
            filtered=ended.get("filtered", 0),
            failed=ended.get("failed", 0),
            per_s=entry.per_s,
        )
    else:
        items = _counts(read_history(output).items, len(state.inputs), is_over=False)
    wrong = _wrong(output, state.run, phase, nodes, items)
    return Sight(str(output), state.run, phase, items, tuple(nodes), wrong=wrong)


def _runs(nodes: list[NodeSight], name: str) -> list[tuple[NodeId, RunStatus]]:
    return [
        (sight.node, run)
        for sight in nodes
        if sight.status is not None
        for run in sight.status.runs
        if run.run == name
    ]


def _wrong(
    output: Path, name: str, phase: Phase, nodes: list[NodeSight], items: ItemCounts
) -> tuple[str, ...]:
    """Return what is not as it should be, the worst first."""
    lines = []
    if phase == "orphaned":
        lines.append(f"the command is gone; its agents go on: jupiter resume {output}")
    if phase == "interrupted":
        lines.append(f"no agent is at work; go on with: jupiter resume {output}")
        lines.append("the items are counted as far as the command had heard of them")
    else:
        lines += [f"node {sight.node}: {sight.problem}" for sight in nodes if sight.problem]
    runs = _runs(nodes, name)
    lines += [f"node {node}: {run.problem}" for node, run in runs if run.problem]
    members = [run.members for _, run in runs if run.entry is not None]
    if members:
        left = [node for node, _ in runs if node not in members[0]]
        lines += [f"node {node}: takes no part; others do its tasks" for node in left]
    full = [node for node, run in runs if run.is_full]
    lines += [f"node {node}: its disk is full; work waits for room" for node in full]
    for sight in nodes:
        if sight.status is not None and sight.status.free_bytes < LOW_DISK_BYTES:
            left_mb = sight.status.free_bytes / 1e6
            lines.append(f"node {sight.node}: only {left_mb:.0f} MB are left on its disk")
    for node, run in runs:
        for task in run.tasks:
            if task.failed:
                item, reason = task.last_error
                count = _number(task.failed, "attempt")
                lines.append(f"task {task.task} on {node}: {count} failed; item {item}: {reason}")
    if items.failed:
        lines.append(f"{_number(items.failed, 'item')} failed: jupiter dlq list {output}")
    return tuple(lines)


def _number(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


# -- what is written down --------------------------------------------------------------------------


def _counts(items: tuple[ItemRecord, ...], inputs: int, *, is_over: bool) -> ItemCounts:
    count = dict.fromkeys(("done", "filtered", "failed", "lost"), 0)
    for item in items:
        count[item.status] += 1
    ends = [item.done_s for item in items if item.done_s is not None]
    span_s = max(ends, default=0.0)
    return ItemCounts(
        inputs=inputs,
        accepted=len(items),
        in_flight=0 if is_over else count["lost"],
        done=count["done"],
        filtered=count["filtered"],
        failed=count["failed"],
        lost=count["lost"] if is_over else 0,
        per_s=len(ends) / span_s if is_over and span_s > 0 else 0.0,
    )


def _after_the_end(output: Path) -> Sight:
    history = read_history(output)
    items = _counts(history.items, len(history.items), is_over=True)
    found: dict[tuple[str, NodeId], list[float]] = {}
    for each in history.tasks:
        row = found.setdefault((each.task, each.node), [0, 0, 0.0])
        row[1 if each.status == "failed" else 0] += 1
        row[2] += each.finish_s - each.execute_s
    tasks = tuple(
        TaskCounts(task, node, int(done), int(failed), seconds)
        for (task, node), (done, failed, seconds) in sorted(found.items())
    )
    wrong = []
    if items.failed:
        wrong.append(f"{_number(items.failed, 'item')} failed: jupiter dlq list {output}")
    if items.lost:
        wrong.append(f"{_number(items.lost, 'item')} never ended")
    return Sight(str(output), history.run, "ended", items, tasks=tasks, wrong=tuple(wrong))
