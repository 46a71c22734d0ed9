"""From measurements to schedules, and to what each of them should give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jupiter.control.config import Level
from jupiter.control.plan import plan_tasks
from jupiter.costs.problem import build_problem
from jupiter.model.app import Application
from jupiter.model.ids import INGRESS, SINK, NodeId, TaskId
from jupiter.model.network import Network
from jupiter.model.problem import Problem
from jupiter.model.profile import Profiles
from jupiter.model.recording import Recording
from jupiter.model.run import Prediction
from jupiter.model.schedule import Schedule
from jupiter.orchestrator.replicas import Deployment, deploy
from jupiter.schedulers.base import find_scheduler
from jupiter.schedulers.explain import with_reasons
from jupiter.schedulers.static import static_mapping
from jupiter.settings import RunSettings
from jupiter.simulator.faults import InjectedFault
from jupiter.simulator.stream import Scenario, Simulated, simulate


@dataclass(frozen=True)
class Circumstances:
    """What else happens to a simulated stream.

    Attributes:
        faults: What goes wrong.
        level: What nodes keep when it does.
        recording: A run that is repeated.
        recorded_s: The run times by (task, node) when it was recorded.
        spread: As for `Scenario`.
    """

    faults: tuple[InjectedFault, ...] = ()
    level: Level = "ingress"
    recording: Recording | None = None
    recorded_s: Mapping[tuple[TaskId, NodeId], float] = field(default_factory=dict)
    spread: Mapping[TaskId, float] = field(default_factory=dict)


class Planner:
    """Schedules and predicts for one application on one network.

    Args:
        app: What is to be placed.
        network: Where.
        profiles: What was measured.
        settings: Seed and limits.
    """

    def __init__(
        self, app: Application, network: Network, profiles: Profiles, settings: RunSettings
    ) -> None:
        self._app = app
        self._settings = settings
        self._home = network.homes[0].name
        self._workers = tuple([node.name for node in network.workers])
        self.problem: Problem = build_problem(app, network, profiles)

    def schedule(self, scheduler: str) -> Schedule:
        """Return the schedule of one item.

        Raises:
            InputError: No scheduler has this name.
            SchedulingError: No schedule exists.
        """
        found = find_scheduler(scheduler)(self.problem, seed=self._settings.seed)
        return with_reasons(self.problem, found)

    def given(self, mapping: Mapping[str, str], scheduler: str) -> Schedule:
        """Return the schedule of a mapping that was made before.

        Raises:
            InputError: It does not fit the application or the network.
        """
        return replace(static_mapping(self.problem, mapping), scheduler=scheduler)

    def deploy(self, schedule: Schedule) -> Deployment:
        """Return the application with a task for every replica of a schedule.

        Raises:
            SchedulingError: The replicas cannot be streamed through.
        """
        return deploy(self._app, self.problem, schedule)

    def predict(self, deployment: Deployment, items: int) -> Prediction:
        """Return what a stream through a schedule should give, by running it in virtual time."""
        return self.simulate(deployment, items).prediction

    def simulate(
        self, deployment: Deployment, items: int, how: Circumstances | None = None
    ) -> Simulated:
        """Return all that happens to a stream in virtual time."""
        how = how or Circumstances()
        nodes: dict[TaskId, tuple[NodeId, ...]] = {}
        if self._settings.placement != "static":
            nodes = dict.fromkeys(deployment.app.graph.tasks, self._workers)
        scenario = Scenario(
            plans=plan_tasks(deployment.app, nodes),
            mapping=task_mapping(deployment.schedule),
            home=self._home,
            execution_s=deployment.execution_s,
            edge_bytes=deployment.edge_bytes,
            links=self.problem.links,
            items=items,
            cores=self.problem.cores,
            interval_s=self._settings.interval_s,
            in_flight_max=self._settings.in_flight_max,
            placement=self._settings.placement,
            is_ordered=self._settings.is_ordered,
            faults=how.faults,
            level=how.level,
            seed=self._settings.seed,
            recording=how.recording,
            recorded_s=how.recorded_s,
            spread=how.spread,
        )
        return simulate(scenario)


def task_mapping(schedule: Schedule) -> dict[TaskId, NodeId]:
    """Return the node of every task, the fixed ends left out."""
    return {task: node for task, node in schedule.mapping.items() if task not in (INGRESS, SINK)}
