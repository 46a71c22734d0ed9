"""Compares which workers there should be on a node with those that there are."""

from __future__ import annotations

from collections.abc import Iterable

from jupiter.kit.backoff import delay_s
from jupiter.model.actions import Action, SetTimer, Start, Stop
from jupiter.model.events import Timer
from jupiter.model.ids import TaskId


class Reconciler:
    """The workers of one node.

    Args:
        running: Tasks whose workers were started before.
    """

    def __init__(self, running: Iterable[TaskId] = ()) -> None:
        self._wanted: dict[TaskId, None] = {}
        self._running: dict[TaskId, None] = dict.fromkeys(running)
        self._starting: dict[TaskId, None] = {}
        self._failures: dict[TaskId, int] = {}

    def is_running(self, task: TaskId) -> bool:
        """Return whether the workers of a task have started."""
        return task in self._running

    @property
    def failing(self) -> tuple[TaskId, ...]:
        """Tasks whose workers could not be started, so far."""
        return tuple(self._failures)

    def want(self, tasks: Iterable[TaskId]) -> list[Action]:
        """Set which tasks should have workers here; return what to start and stop."""
        self._wanted = dict.fromkeys(tasks)
        actions: list[Action] = []
        for task in list(self._running):
            if task not in self._wanted:
                del self._running[task]
                actions.append(Stop(task))
        for task in self._wanted:
            actions += self.start(task)
        return actions

    def start(self, task: TaskId) -> list[Action]:
        """Start the workers of a task that is wanted and has none."""
        if task not in self._wanted or task in self._running or task in self._starting:
            return []
        self._starting[task] = None
        return [Start(task)]

    def ready(self, task: TaskId) -> list[Action]:
        """Note that the workers of a task have started, wanted or not."""
        self._starting.pop(task, None)
        self._failures.pop(task, None)
        if task not in self._wanted:
            return [Stop(task)]
        self._running[task] = None
        return []

    def failed(self, task: TaskId) -> list[Action]:
        """Note that the workers of a task could not be started; try again later."""
        self._starting.pop(task, None)
        self._running.pop(task, None)
        self._failures[task] = self._failures.get(task, 0) + 1
        return [SetTimer(Timer("restart", task), delay_s(self._failures[task], first_s=0.5))]
