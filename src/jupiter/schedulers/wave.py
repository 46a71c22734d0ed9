"""WAVE: whoever has a task hands its children on, looking only at its own neighbourhood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jupiter.errors import SchedulingError
from jupiter.kit.rng import stream
from jupiter.model.graph import Edge
from jupiter.model.ids import NodeId, TaskId
from jupiter.model.problem import Problem
from jupiter.model.schedule import Schedule
from jupiter.schedulers.evaluate import evaluate

SLOW_LINK = 15.0
"""Nodes whose link needs so many times longer than the best one are left out, as in the seeds."""

Rule = Literal["random", "seed", "finish"]


def wave_random(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the mapping of WAVE random: each controller draws a node for each child.

    Args:
        problem: What is to be placed. Limits of memory and number are respected.
        seed: Fixes the draws.

    Raises:
        SchedulingError: A task has no node left.

    Source: the seeds' WAVE; Sakulkar et al. 2019, "WAVE: A Distributed Scheduling Framework for
        Dispersed Computing", USC ANRG. Nodes are drawn from all that can run the task, the
        controller's own among them.
    """
    return _wave(problem, "wave-random", "random", seed)


def wave_greedy(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the mapping of WAVE greedy by predicted finish times.

    The controller of a task takes the node where it would finish first: the transfer of the real
    bytes, what the node was given so far over its cores, and the run time, which counts more on a
    node that is busy with other work.

    Args, errors and source: as `wave_random`; nothing is drawn.
    """
    return _wave(problem, "wave-greedy", "finish", seed)


def wave_greedy_seed(problem: Problem, *, seed: int = 0) -> Schedule:
    """Return the mapping of WAVE greedy with the weights of the seeds.

    The controller takes the node with the least sum of transfer milliseconds and the percentages
    of processor and memory that are in use, of those whose link is less than 15 times slower than
    the best; its own node is no candidate while there is another. Run times do not count.

    Args, errors and source: as `wave_random`; nothing is drawn.
    """
    return _wave(problem, "wave-greedy-seed", "seed", seed)


def _wave(problem: Problem, name: str, rule: Rule, seed: int) -> Schedule:
    protocol = _Protocol(problem, rule, seed)
    for task in problem.graph.topological_order:
        protocol.place(task)
    return evaluate(
        problem,
        protocol.mapping,
        scheduler=name,
        options={"seed": seed},
        order=problem.graph.topological_order,
    )


@dataclass(frozen=True, slots=True)
class _Offer:
    """A node that could take a task, and the transfer there."""

    node: NodeId
    transfer_s: float


class _Protocol:
    """Who controls whom, and what is given to whom so far."""

    def __init__(self, problem: Problem, rule: Rule, seed: int) -> None:
        self._problem, self._rule = problem, rule
        self._draw = stream(seed, "wave").choice
        self._queue_s: dict[NodeId, float] = dict.fromkeys(problem.nodes, 0.0)
        self._count: dict[NodeId, int] = dict.fromkeys(problem.nodes, 0)
        self._used_bytes: dict[NodeId, float] = dict.fromkeys(problem.nodes, 0.0)
        self.mapping: dict[TaskId, NodeId] = {}
        self._controller = _controllers(problem)
        for task, node in problem.pinned.items():
            self._take_room(task, node)

    def place(self, task: TaskId) -> None:
        """Let the controller of a task pick its node."""
        problem = self._problem
        begun = problem.begun.get(task)
        pin = problem.pinned.get(task) if begun is None else begun.node
        if pin is not None:
            self._give(task, pin)
            return
        offers = self._offers(task)
        if not offers:
            raise SchedulingError(
                f"task {task} cannot be placed: no node that can run it is in reach of its inputs "
                "and has room"
            )
        node = self._pick(task, offers)
        self._take_room(task, node)
        self._give(task, node)

    def _offers(self, task: TaskId) -> list[_Offer]:
        problem = self._problem
        parent = self._controller.get(task)
        offers = []
        for node in problem.candidates(task):
            used = self._used_bytes[node] + problem.memory_bytes.get(task, 0.0)
            full = self._count[node] + 1 > problem.tasks_max.get(node, self._count[node] + 1)
            if full or used > problem.node_memory_bytes.get(node, used):
                continue
            times_s = [
                problem.transfer_s(Edge(each, task), self.mapping[each], node)
                for each in problem.graph.parents[task]
            ]
            if None in times_s:
                continue
            own_s = (
                problem.transfer_s(Edge(parent, task), self.mapping[parent], node)
                if parent
                else 0.0
            )
            offers.append(_Offer(node, own_s or 0.0))
        return offers

    def _pick(self, task: TaskId, offers: list[_Offer]) -> NodeId:
        if self._rule == "random":
            return self._draw(offers).node
        if self._rule == "finish":
            return min(offers, key=lambda offer: self._finish_s(task, offer)).node
        parent = self._controller.get(task)
        own = self.mapping[parent] if parent else None
        others = [offer for offer in offers if offer.node != own] or offers
        least_s = min(offer.transfer_s for offer in others)
        near = [offer for offer in others if offer.transfer_s <= SLOW_LINK * least_s]
        return min(near, key=self._seed_cost).node

    def _finish_s(self, task: TaskId, offer: _Offer) -> float:
        problem = self._problem
        idle = max(1.0 - problem.cpu_used.get(offer.node, 0.0), 0.05)
        run_s = problem.seconds(task, offer.node) or 0.0
        queue_s = self._queue_s[offer.node] / problem.cores.get(offer.node, 1)
        return offer.transfer_s + queue_s + run_s / idle

    def _seed_cost(self, offer: _Offer) -> float:
        problem = self._problem
        cpu = 100 * problem.cpu_used.get(offer.node, 0.0)
        memory = 100 * problem.memory_used.get(offer.node, 0.0)
        return offer.transfer_s * 1e3 + cpu + memory

    def _take_room(self, task: TaskId, node: NodeId) -> None:
        self._count[node] += 1
        self._used_bytes[node] += self._problem.memory_bytes.get(task, 0.0)

    def _give(self, task: TaskId, node: NodeId) -> None:
        self._queue_s[node] += self._problem.seconds(task, node) or 0.0
        self.mapping[task] = node


def _controllers(problem: Problem) -> dict[TaskId, TaskId]:
    """Return the parent that controls each task which has one.

    One parent controls its child; of several the first one in written order that controls
    something already, or the first of all.
    """
    controllers: dict[TaskId, TaskId] = {}
    for task in problem.graph.topological_order:
        parents = problem.graph.parents[task]
        if parents:
            known = set(controllers.values())
            controllers[task] = next((each for each in parents if each in known), parents[0])
    return controllers
