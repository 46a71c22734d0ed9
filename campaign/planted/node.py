"""Planted bugs in node: workers, and what a node knows after a restart."""

from __future__ import annotations

from typing import Any

from campaign.planted.bug import Patch, planted
from jupiter.control import node
from jupiter.control import reconcile as workers


@planted("workers that failed to start are not started again")
def workers_given_up() -> list[Patch]:
    real = workers.Reconciler.failed

    def failed(self: Any, task: Any) -> Any:
        real(self, task)
        return []

    return [(workers.Reconciler, "failed", failed)]


@planted("workers are not started again after a restart")
def workers_forgotten() -> list[Patch]:
    real = node.Node.restore

    def restore(self: Any, records: Any, now: float) -> None:
        real(self, records, now)
        self.workers.want(self._plans)

    return [(node.Node, "restore", restore)]


@planted("home does not tell its own tasks after a restart that the input is closed")
def home_not_closed() -> list[Patch]:
    real = node.Node._restore_home

    def restore(self: Any, record: Any) -> None:
        self.dispatcher.__dict__["close"] = lambda total: []
        real(self, record)
        del self.dispatcher.__dict__["close"]

    return [(node.Node, "_restore_home", restore)]


@planted("home keeps after a restart what its own tasks made of items that had ended")
def home_remembers() -> list[Patch]:
    real = node.Node._restore_home

    def restore(self: Any, record: Any) -> None:
        self.__dict__["_forget"] = lambda seqs: None
        real(self, record)
        del self.__dict__["_forget"]

    return [(node.Node, "_restore_home", restore)]
