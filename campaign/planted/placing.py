"""Planted bugs in placing: the node of an item."""

from __future__ import annotations

from typing import Any

import msgspec

from campaign.planted.bug import Patch, planted
from jupiter.control import placing


@planted("the node of an item is forgotten by a restart, and chosen again")
def assignment_forgotten() -> list[Patch]:
    return [(placing.Placing, "restore", lambda self, record: None)]


@planted("every question for the node of an item is answered anew")
def assignment_not_remembered() -> list[Patch]:
    real = placing.Placing.asked

    def asked(self: Any, word: Any, asker: Any, number: int) -> Any:
        self._assigned.pop((word.task, word.item), None)
        return real(self, word, asker, number)

    return [(placing.Placing, "asked", asked)]


@planted("an answer of an older epoch is believed")
def stale_place() -> list[Patch]:
    real = placing.Placing.placed

    def placed(self: Any, word: Any) -> Any:
        return real(self, msgspec.structs.replace(word, epoch=self._view.epoch))

    return [(placing.Placing, "placed", placed)]
