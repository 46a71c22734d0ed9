"""What a restart finds in a spool: whose each folder is, by the journal, until somebody asks.

There may be very many folders, and a restart must be quick. So nothing is made of what the journal
says of them, and nothing on the disk is looked at, before somebody asks for one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jupiter.model.ids import ItemId, TaskId
from jupiter.model.items import Delivery, Part

MEMORY_MARK = "*"
"""Before the names of folders in memory, in the journal."""

Key = tuple[TaskId, ItemId]
Kept = Callable[[TaskId, ItemId], bool]
_Inputs = list[tuple[str, Delivery]]
_Outputs = tuple[str, tuple[Part, ...]]


class Leftovers:
    """Folders from before a restart, by their names in the journal ("places").

    The journal names a folder again when it was dropped and used for something else: whoever was
    named last has it. Of the folders that are named for one thing the last counts, too.
    """

    def __init__(self) -> None:
        self.inputs: dict[Key, _Inputs] = {}
        """Places, and what came into them, in the order of the journal."""
        self.outputs: dict[Key, _Outputs] = {}
        """Places, and what lies there: outputs of attempts, and accepted inputs."""
        self.memory_bytes = 0
        """Of all these, in memory."""
        # Of those that are there: the entry in `inputs` or the key in `outputs`, or None. One table
        # for all questions: with so many folders it is looking them up that takes time.
        self._owners: dict[str, _Inputs | Key | None] = {}

    def see(self, places: Iterable[str]) -> None:
        """Note which folders there are."""
        found = dict.fromkeys(places)
        if self._owners:
            self._owners.update(found)
        else:
            self._owners = found  # most are in one folder

    def give_inputs(self, place: str, delivery: Delivery) -> bool:
        """Note what came into a folder; return whether it is there."""
        key = (delivery.target, delivery.item)
        new = (place, delivery)
        owners = self._owners
        before = owners.get(place)
        is_there = before is not None or place in owners
        found = self.inputs.get(key)
        if found is None:
            found = self.inputs[key] = [new]
        elif new in found:
            return is_there
        else:
            for each in list(found):  # in each epoch there is one folder, the last
                if (each[0] == place) is not (each[1].epoch == delivery.epoch):
                    self._drop(found, each)
            found.append(new)
        if before is not None and before is not found:
            self._take_away(place, before)
        owners[place] = found
        if place.startswith(MEMORY_MARK):
            for part in delivery.parts:
                self.memory_bytes += part.size_bytes
        return is_there

    def give_outputs(self, place: str, key: Key, parts: tuple[Part, ...]) -> bool:
        """Note what lies in a folder; return whether it is there."""
        new = (place, parts)
        is_there = place in self._owners
        before = self._owners.get(place)
        found = self.outputs.setdefault(key, new)
        if found is not new:
            self._take_away(found[0], key)
        if before is not None:
            self._take_away(place, before)
        self._owners[place] = key
        self.outputs[key] = new
        if place.startswith(MEMORY_MARK):
            for part in parts:
                self.memory_bytes += part.size_bytes
        return is_there

    def _take_away(self, place: str, owner: _Inputs | Key) -> None:
        self._owners[place] = None
        if isinstance(owner, tuple):
            self.take_outputs(owner)
            return
        for each in [each for each in owner if each[0] == place]:
            self._drop(owner, each)

    def _drop(self, found: _Inputs, each: tuple[str, Delivery]) -> None:
        found.remove(each)
        self._owners[each[0]] = None
        self.memory_bytes -= _in_memory(each[0], each[1].parts)

    def take_inputs(self, key: Key) -> _Inputs:
        """Return what came for an execution; from now on it is the business of who asks."""
        found = self.inputs.pop(key, [])
        self.memory_bytes -= sum([_in_memory(place, each.parts) for place, each in found])
        return found

    def take_outputs(self, key: Key) -> _Outputs | None:
        """Return what an execution left; from now on it is the business of who asks."""
        found = self.outputs.pop(key, None)
        if found is not None:
            self.memory_bytes -= _in_memory(*found)
        return found

    def sweep(self, keeps_inputs: Kept, keeps_outputs: Kept) -> list[str]:
        """Give up what is needed no more; return the places that are nobody's."""
        gone = [place for place, owner in self._owners.items() if owner is None]
        self._owners.clear()
        for key in [
            key for key, found in self.inputs.items() if not (found and keeps_inputs(*key))
        ]:
            gone += dict.fromkeys([place for place, _ in self.take_inputs(key)])
        for key in [key for key in self.outputs if not keeps_outputs(*key)]:
            gone.append(self.outputs[key][0])
            self.take_outputs(key)
        return gone


def _in_memory(place: str, parts: tuple[Part, ...]) -> int:
    return sum([part.size_bytes for part in parts]) if place.startswith(MEMORY_MARK) else 0
