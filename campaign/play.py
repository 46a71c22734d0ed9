"""From a scenario to a verdict: builds the world, lets it run, looks at what is left."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from campaign.checks import CheckedHost
from campaign.scenario import DEADLINE_S, HEAL_S, HOME, Scenario
from jupiter.control.config import NodeConfig
from jupiter.control.node import Node
from jupiter.kit.rng import stream
from jupiter.model import actions as act
from jupiter.model import records as rec
from jupiter.model.ids import INGRESS, ItemId, NodeId, TaskId
from jupiter.model.items import Delivery, Part
from jupiter.model.transfer import TransferModel
from jupiter.model.view import View
from jupiter.simulator.contents import Content, digest, made, merged
from jupiter.simulator.faults import Injector
from jupiter.simulator.host import Host
from jupiter.simulator.network import Links
from jupiter.simulator.source import Input, Source
from jupiter.simulator.tasks import Outcome
from jupiter.simulator.world import World
from jupiter.testing.oracle import Effect, History, Verdict, judge
from jupiter.testing.serial import Expected, expect

BEAT_S, LEASE_S, SETTLE_S, RESEND_S = 0.3, 1.0, 0.5, 0.5


def chance(*words: object) -> float:
    """Return a number in [0, 1) that depends on the words alone."""
    return int(digest(*words), 16) / 2**64


class Tasks:
    """What the tasks of a scenario do, in the world and in one process."""

    def __init__(self, scenario: Scenario, injector: Injector | None) -> None:
        self._scenario = scenario
        self._injector = injector
        self._plans = {plan.name: plan for plan in scenario.plans}
        self._draw = stream(scenario.seed, "tasks")
        self._attempts: dict[tuple[TaskId, tuple[int, ...]], int] = {}
        self._count = 0

    def outputs(
        self, task: TaskId, origins: tuple[int, ...], inputs: list[list[str]]
    ) -> list[str] | None:
        """Return what a task makes of digests; None where it fails for good."""
        luck = chance("luck", self._scenario.seed, task, origins)
        if task in self._scenario.poisonous and luck < 0.3:
            return None
        plan = self._plans[task]
        many = len(plan.children) if plan.is_scatter else 1 + int(luck * 2)
        if task in self._scenario.stingy:
            many = int(luck * (many + 1)) if plan.is_scatter else int(luck > 0.4)
        return [made(task, inputs, k) for k in range(many)]

    def execute(self, node: NodeId, run: act.Run, inputs: list[list[Content]]) -> Outcome:
        """Return how an attempt will end."""
        scenario = self._scenario
        origins = tuple(dict.fromkeys(o for each in run.inputs for o in each.origins))
        key = run.task, origins
        tries = self._attempts[key] = self._attempts.get(key, 0) + 1
        seconds = scenario.durations_s[run.task] * (0.5 + self._draw.random())
        if self._injector is not None:
            seconds *= self._injector.slowness.get(node, 1.0)
        if tries == 1 and run.task in scenario.hanging:
            return Outcome(1e6, error="hangs")
        if tries <= scenario.flaky.get(run.task, 0):
            return Outcome(seconds, error="flaky")
        contents = [[each.digest for each in part] for part in inputs]
        found = self.outputs(run.task, origins, contents)
        if found is None:
            return Outcome(seconds, error="poison")
        self._count += 1
        lineage, is_mixed = merged(content for part in inputs for content in part)
        lineage[run.task, ItemId(str(origins))] = self._count
        line = tuple(lineage.items())
        most = scenario.bandwidth_bytes_per_s if run.task in scenario.flooding else 1000
        parts = [
            Part(f"{run.task}{k}", 100 + int(most * self._draw.random())) for k in range(len(found))
        ]
        return Outcome(
            seconds, tuple(parts), tuple(Content(each, line, is_mixed) for each in found)
        )

    def size_bytes(self, delivery: Delivery) -> float:
        """Return how much travels for a delivery."""
        return float(sum([part.size_bytes for part in delivery.parts]))


@dataclass(frozen=True)
class Played:
    """What came of a scenario.

    Attributes:
        verdict: Of the oracle.
        events: That the world went through.
        virtual_s: How long it lived.
        broken: An invariant or an assertion that did not hold.
        injected: Faults that happened, by kind.
    """

    verdict: Verdict
    events: int
    virtual_s: float
    broken: str
    injected: dict[str, int]

    @property
    def is_good(self) -> bool:
        """Nothing is wrong."""
        return self.verdict.is_good and not self.broken

    @property
    def why(self) -> str:
        """What is wrong, in words."""
        faults = self.verdict.faults
        words = [f"{kind}: {'; '.join(what[:4])}" for kind, what in faults.items()]
        return "\n".join([*words, *([f"broken: {self.broken}"] if self.broken else [])])


class _Everywhere(dict[tuple[NodeId, NodeId], TransferModel]):
    """One model for all links."""

    def __init__(self, model: TransferModel) -> None:
        self._model = model

    def get(self, key: object, default: object = None) -> TransferModel:
        return self._model


def play(
    scenario: Scenario,
    make: Callable[[NodeConfig], Node] = Node,
    trace: Callable[[str], None] | None = None,
    host: type[Host] = CheckedHost,
) -> Played:
    """Let a scenario happen and judge it.

    Args:
        scenario: What happens.
        make: Makes nodes; another one than ours plants a bug.
        trace: Gets every event as a line.
        host: As `make`, for what carries out the decisions.
    """
    draw = stream(scenario.seed, "world")
    model = TransferModel(scenario.latency_s, 1 / scenario.bandwidth_bytes_per_s)
    links = Links(_Everywhere(model), draw=draw)
    tasks = Tasks(scenario, None)
    world = World(links, tasks, draw, is_watched=True)
    injector = tasks._injector = Injector(world, scenario.refused)
    world.trace = trace
    first = {node: 1 for node in (HOME, *scenario.cores) if node not in scenario.late}
    view = View(1, first, scenario.preferred)
    for node in (HOME, *scenario.cores):
        config = NodeConfig(
            node=node,
            home=HOME,
            plans=scenario.plans,
            preferred=scenario.preferred,
            cores=scenario.cores.get(node, 1),
            view=view if node in first else None,
            placement=scenario.placement,
            has_workers=True,
            level=scenario.level,
            in_flight_max=scenario.in_flight_max,
            is_ordered=scenario.is_ordered,
            beat_s=BEAT_S,
            lease_s=LEASE_S,
            settle_s=SETTLE_S,
            resend_s=RESEND_S,
            memory_bytes_max=scenario.memory_bytes_max,
            credit_max=scenario.credit_max,
        )
        world.add(
            host,
            config,
            sync_s=scenario.sync_s,
            rate=scenario.rates[node],
            offset_s=1000.0 * draw.random(),
            start_s=0.02,
            failed_starts=scenario.failed_starts.get(node, 0),
            is_compacting=scenario.is_compacting,
            make=make,
        )
    inputs = [digest("input", scenario.seed, k) for k in range(scenario.items)]
    source = Source(world, world.hosts[HOME], _inputs(scenario, inputs))
    for node in first:
        world.hosts[node].start()
    source.begin()
    injector.plan(scenario.faults)
    broken = ""
    idle = _Idle(world)
    try:
        world.run(HEAL_S, idle.is_over)
        world.run(DEADLINE_S, idle.is_over)
    except Exception as error:
        broken = f"{type(error).__name__}: {error}"
    history = _history(world, scenario, injector, idle)
    verdict = _judge(history, scenario, tasks, inputs, world.hosts[HOME].disk.image.records)
    return Played(verdict, world.events, world.now, broken, injector.done)


def _judge(
    history: History,
    scenario: Scenario,
    tasks: Tasks,
    inputs: list[str],
    records: Sequence[rec.Record],
) -> Verdict:
    """Compare with a serial run; an item whose input was lost may end as failed, and only so."""

    def serial(failing: Collection[int]) -> Expected:
        files = [None if seq in failing else [each] for seq, each in enumerate(inputs)]
        return expect(scenario.plans, files, tasks.outputs)

    undamaged = serial(())
    lost = {
        int(record.item): record.reason
        for record in records
        if isinstance(record, rec.Lost) and record.task == INGRESS
    }
    if not lost:
        return judge(history, undamaged)
    commits = [record for record in records if isinstance(record, rec.Committed)]
    ends = [end for commit in commits for end in commit.endings]
    failed = {end.seq: end.detail for end in ends if end.outcome == "failed" and end.seq in lost}
    # One that failed for another reason was read in time, and has its part in batches.
    failing = [seq for seq, detail in failed.items() if detail == lost[seq]]
    return judge(replace(history, unreadable=tuple(failed)), serial(failing), undamaged)


def _inputs(scenario: Scenario, digests: list[str]) -> list[Input]:
    return [
        Input(f"f{k}", k * scenario.interval_s, (Part(f"f{k}", 500),), (Content(each),))
        for k, each in enumerate(digests)
    ]


class _Idle:
    """Knows when a world has come to rest."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.left: list[str] = ["the stream did not drain"]
        self._next_s = 0.0

    def is_over(self) -> bool:
        """Return whether everything has ended and nothing is left."""
        world = self._world
        if not world.hosts[HOME].is_drained or world.now < self._next_s:
            return False
        self._next_s = world.now + 0.25
        if world.now < HEAL_S and any(not h.is_up and not h.is_gone for h in world.hosts.values()):
            return False
        self.left = self._look()
        return not self.left

    def _look(self) -> list[str]:
        left = []
        for host in self._world.hosts.values():
            if not host.is_up or host.is_gone:
                continue
            size = host.machines.size
            if size:
                left.append(f"{size} entries in the memory of {host.name}")
            files = host.files.left()
            if files:
                left.append(f"{len(files)} files on {host.name}, such as {files[0]}")
        return left


def _history(world: World, scenario: Scenario, injector: Injector, idle: _Idle) -> History:
    home = world.hosts[HOME]
    records = home.disk.image.records
    commits = [r for r in records if isinstance(r, rec.Committed)]
    accepted = {r.seq for r in records if isinstance(r, rec.Accepted)}
    accepted |= {accept.seq for _, accept in home.accepted}
    effects = []
    for source, origins, content in home.files.results():
        lineage = tuple(((str(t), i), n) for (t, i), n in content.lineage)
        effects.append(Effect(source, origins, content.digest, lineage, content.is_mixed))
    if scenario.level == "none":
        commits = [publish.commit for _, publish in home.shown]
    planned: dict[str, int] = {}
    for fault in scenario.faults:
        planned[fault.kind] = planned.get(fault.kind, 0) + 1
    return History(
        accepted=sorted(accepted),
        endings=[[(e.seq, e.outcome) for e in commit.endings] for commit in commits],
        effects=effects,
        is_ordered=scenario.is_ordered,
        is_late=not home.is_drained or len(accepted) < scenario.items,
        leaks=idle.left if home.is_drained else (),
        planned=planned,
        injected=injector.done,
    )
