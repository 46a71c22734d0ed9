"""Planted bugs in membership: who takes part."""

from __future__ import annotations

from typing import Any

import msgspec

from campaign.planted.bug import Patch, planted
from jupiter.control import intake, membership


@planted("a lost node is never missed")
def lease_for_ever() -> list[Patch]:
    real = membership.Membership._is_here

    def is_here(self: Any, name: Any, now: float) -> bool:
        return name in self._view.members or real(self, name, now)

    return [(membership.Membership, "_is_here", is_here)]


@planted("a node that forgot everything goes on as if nothing was")
def incarnation_ignored() -> list[Patch]:
    real = intake.Intake._take_up

    def take_up(self: Any, view: Any) -> Any:
        began = real(self, view)
        self._known.is_member = self.node in view.members
        return began

    beat = membership.Membership.beat

    def beaten(self: Any, name: Any, word: Any, now: float) -> Any:
        known = self._view.members.get(name, word.incarnation)
        return beat(self, name, msgspec.structs.replace(word, incarnation=known), now)

    return [(intake.Intake, "_take_up", take_up), (membership.Membership, "beat", beaten)]


@planted("home begins no new epoch after a restart")
def no_new_epoch() -> list[Patch]:
    return [(membership.Membership, "renew", lambda self, now: [])]


@planted("a node that was lost never takes part again")
def never_again() -> list[Patch]:
    def is_here(self: Any, name: Any, now: float) -> bool:
        if now - self._heard_s[name] > self._lease_s:
            return False
        return name in self._view.members

    return [(membership.Membership, "_is_here", is_here)]


@planted("a node whose death was noticed at once never takes part again")
def gone_for_ever() -> list[Patch]:
    real = membership.Membership.lose

    def lose(self: Any, node: Any, now: float) -> Any:
        actions = real(self, node, now)
        self._losses[node] = 1 << 20
        return actions

    wait = membership.Membership._is_here

    def is_here(self: Any, node: Any, now: float) -> bool:
        if self._losses.get(node, 0) >= 1 << 20 and node not in self._view.members:
            return False
        return bool(wait(self, node, now))

    return [(membership.Membership, "lose", lose), (membership.Membership, "_is_here", is_here)]
